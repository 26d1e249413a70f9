"""Wire to use case: the form of a transcription becomes a sound and how to hear it, or an error naming the field."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from autoglm_phone.core.errors import InvalidRequest, UnknownModel
from autoglm_phone.core.languages import LANGUAGES, language_code
from autoglm_phone.core.transcript import HearingOptions, Task
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import MAX_SHOWN_CHARS, first_fault
from autoglm_phone.server.fields import Unsupported
from autoglm_phone.server.form_body import Form
from autoglm_phone.server.schemas.transcription import TranscriptionForm

FILE = "file"
# The name of OpenAI's own server for it; most clients send nothing else.
WHISPER = "whisper-1"

_NO_SPEAKERS = "who is speaking is not heard"

UNSUPPORTED: Mapping[str, Unsupported] = {
    "include": Unsupported(hint="there are no log-probabilities of tokens; `verbose_json` has those of segments"),
    "chunking_strategy": Unsupported(("auto",), "a voice detector always cuts"),
    "known_speaker_names": Unsupported(hint=_NO_SPEAKERS),
    "known_speaker_references": Unsupported(hint=_NO_SPEAKERS),
    "keywords": Unsupported(hint="put them into `prompt`"),
    "languages": Unsupported(hint="send one `language`, or none to have it detected"),
}


@dataclass(frozen=True)
class AskedTranscription:
    sound: bytes
    options: HearingOptions
    wire: TranscriptionForm
    ignored: tuple[str, ...]


def read_transcription(form: Form, task: Task, config: ServerConfig) -> AskedTranscription:
    values = _values(form)
    try:
        wire = TranscriptionForm.model_validate(values)
    except ValidationError as error:
        raise first_fault(error) from None
    _check_model(wire.model, config)
    _check_combinations(wire, task, "timestamp_granularities" in values)
    options = HearingOptions(
        task=task,
        language=_language(wire.language),
        prompt=wire.prompt.strip(),
        temperature=wire.temperature,
        with_times=wire.response_format in ("verbose_json", "srt", "vtt"),
    )
    return AskedTranscription(_sound(form), options, wire, tuple(wire.model_extra or {}))


def _values(form: Form) -> dict[str, str | list[str]]:
    """Lists may be written `name` or `name[]`, their items one by one. An empty value is none."""
    given: dict[str, list[str]] = {}
    for name, values in form.fields.items():
        base = name.partition("[")[0]
        if base in UNSUPPORTED or base in TranscriptionForm.model_fields:
            given.setdefault(base, []).extend(value for value in values if value)
        else:
            given[name] = values
    result: dict[str, str | list[str]] = {}
    for name, values in given.items():
        if name in UNSUPPORTED:
            _refuse_unsupported(name, values)
        elif name == "timestamp_granularities" and values:
            result[name] = values
        elif len(values) > 1 and name in TranscriptionForm.model_fields:
            raise InvalidRequest(f"`{name}` stands {len(values)} times in the form; send it once", param=name)
        elif values:
            result[name] = values[0]
    return result


def _refuse_unsupported(name: str, values: list[str]) -> None:
    field = UNSUPPORTED[name]
    if any(value not in field.no_op for value in values):
        raise InvalidRequest(f"`{name}` is not supported by this server: {field.hint}", param=name)


def _check_model(name: str | None, config: ServerConfig) -> None:
    known = (WHISPER, *config.model_names)
    if name is not None and name not in known:
        raise UnknownModel(
            f"the model {name[:MAX_SHOWN_CHARS]!r} is not served here; known: {', '.join(known)}", param="model"
        )


def _check_combinations(wire: TranscriptionForm, task: Task, has_granularities: bool) -> None:
    if has_granularities and wire.response_format != "verbose_json":
        raise InvalidRequest(
            "`timestamp_granularities` goes with `response_format` verbose_json", param="timestamp_granularities"
        )
    if task == "translate" and "word" in wire.timestamp_granularities:
        raise InvalidRequest(
            "the words of a translation have no times in the sound; ask for segments", param="timestamp_granularities"
        )
    if wire.stream and wire.response_format not in ("json", "text"):
        raise InvalidRequest(
            f"`stream` gives text; it cannot go with `response_format` {wire.response_format}", param="stream"
        )


def _language(name: str | None) -> str | None:
    code = language_code(name) if name is not None else None
    if name is not None and code is None:
        raise InvalidRequest(
            f"`language`: {name[:MAX_SHOWN_CHARS]!r} is not known; send one of {' '.join(LANGUAGES)}, or its English "
            "name, or leave it out to have it detected",
            param="language",
        )
    return code


def _sound(form: Form) -> bytes:
    if FILE in form.files:
        return form.files[FILE]
    if FILE in form.fields:
        raise InvalidRequest("`file` is a text; send it as a file, with a filename", param=FILE)
    other = next(iter(form.files), None)
    hint = f"; the form has a file in {other[:MAX_SHOWN_CHARS]!r}" if other is not None else ""
    raise InvalidRequest(f"`file` is missing: it holds the sound{hint}", param=FILE)
