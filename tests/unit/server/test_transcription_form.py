from pathlib import Path

import pytest

from autoglm_phone.core.errors import InvalidRequest, UnknownModel
from autoglm_phone.core.transcript import HearingOptions, Task
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.form_body import Form
from autoglm_phone.server.schemas.transcription import TranscriptionForm
from autoglm_phone.server.transcription_form import UNSUPPORTED, AskedTranscription, read_transcription

CONFIG = ServerConfig(model_id="autoglm-phone-nano", aliases=("nano",))


def read(task: Task = "transcribe", **fields: str | list[str]) -> AskedTranscription:
    """`_list` at the end of a name is written `[]`."""
    values = {
        name.replace("_list", "[]"): [value] if isinstance(value, str) else value for name, value in fields.items()
    }
    return read_transcription(Form(values, {"file": b"RIFF"}), task, CONFIG)


def test_the_least_that_can_be_asked() -> None:
    asked = read()
    assert asked.sound == b"RIFF"
    assert asked.options == HearingOptions()
    assert (asked.wire.response_format, asked.wire.stream, asked.ignored) == ("json", False, ())


def test_all_that_can_be_asked() -> None:
    asked = read(
        model="whisper-1",
        language="Chinese",
        prompt=" 蓝牙, AutoGLM ",
        response_format="verbose_json",
        temperature="0.4",
        stream="false",
        timestamp_granularities_list=["word", "segment"],
        chunking_strategy="auto",
    )
    assert asked.options == HearingOptions("transcribe", "zh", "蓝牙, AutoGLM", 0.4, with_times=True)
    assert asked.wire.timestamp_granularities == ["word", "segment"]


@pytest.mark.parametrize("response_format", ["verbose_json", "srt", "vtt"])
def test_times_are_computed_where_they_are_shown(response_format: str) -> None:
    assert read(response_format=response_format).options.with_times
    assert not read(response_format="text").options.with_times


@pytest.mark.parametrize("name", ["whisper-1", "autoglm-phone-nano", "nano", "autoglm-phone-9b", ""])
def test_models_that_are_answered_to(name: str) -> None:
    read(model=name)


def test_other_models_are_unknown() -> None:
    with pytest.raises(UnknownModel, match="'gpt-4o-transcribe' is not served here; known: whisper-1, autoglm"):
        read(model="gpt-4o-transcribe")


def test_an_empty_value_is_none() -> None:
    assert read(language="", prompt="", response_format="", temperature="", stream="").options == HearingOptions()
    assert read(include_list="").ignored == ()


def test_unknown_fields_are_told() -> None:
    assert read(vad_filter="true", seed="1", hotwords="x").ignored == ("vad_filter", "seed", "hotwords")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"language": "xx"}, "language", "'xx' is not known; send one of af am ar"),
        ({"language": "en-US"}, "language", "'en-US' is not known"),
        ({"response_format": "diarized_json"}, "response_format", "should be 'json', 'text', 'verbose_json', 'srt'"),
        ({"temperature": "1.5"}, "temperature", "less than or equal to 1"),
        ({"temperature": "-0.1"}, "temperature", "greater than or equal to 0"),
        ({"temperature": "nan"}, "temperature", "finite number"),
        ({"temperature": "warm"}, "temperature", "valid number"),
        ({"stream": "perhaps"}, "stream", "valid boolean"),
        ({"stream": "true", "response_format": "srt"}, "stream", "cannot go with `response_format` srt"),
        ({"timestamp_granularities_list": "word"}, "timestamp_granularities", "goes with `response_format` verbose"),
        (
            {"timestamp_granularities": "letter", "response_format": "verbose_json"},
            "timestamp_granularities[0]",
            "should be 'word' or 'segment'",
        ),
        ({"include_list": "logprobs"}, "include", "no log-probabilities of tokens"),
        ({"chunking_strategy": '{"type": "server_vad"}'}, "chunking_strategy", "a voice detector always cuts"),
        ({"chunking_strategy[type]": "server_vad"}, "chunking_strategy", "a voice detector always cuts"),
        ({"known_speaker_names_list": ["Ann", "Bob"]}, "known_speaker_names", "who is speaking is not heard"),
        ({"keywords_list": ["AutoGLM"]}, "keywords", "put them into `prompt`"),
        ({"languages_list": ["en", "zh"]}, "languages", "send one `language`"),
        ({"language": ["en", "zh"]}, "language", "stands 2 times"),
    ],
)
def test_faults_name_their_field(fields: dict[str, str | list[str]], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        read("transcribe", **fields)
    assert refused.value.param == param


def test_a_translation_has_no_times_of_words() -> None:
    read("translate", response_format="verbose_json", timestamp_granularities_list="segment")
    with pytest.raises(InvalidRequest, match="the words of a translation have no times"):
        read("translate", response_format="verbose_json", timestamp_granularities_list="word")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form({}, {}), "`file` is missing: it holds the sound$"),
        (Form({}, {"audio": b"RIFF"}), "`file` is missing: it holds the sound; the form has a file in 'audio'"),
        (Form({"file": ["RIFF"]}, {}), "send it as a file, with a filename"),
    ],
)
def test_a_form_without_its_file(form: Form, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        read_transcription(form, "transcribe", CONFIG)
    assert refused.value.param == "file"


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text(encoding="utf-8")
    section = page.partition("## Transcriptions\n")[2].partition("\n## ")[0]
    for name in ("file", *TranscriptionForm.model_fields, *UNSUPPORTED):
        assert f"`{name}`" in section or f"`{name}[]`" in section, name
