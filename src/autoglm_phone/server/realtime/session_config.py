"""The session as clients write it in `session.update`: OpenAI's form. Null and left out mean the same, but where said.

What is sent is laid over what is in force, object by object, and then read as a whole.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoglm_phone.chat.live.turn_detector import TurnRules
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.languages import language_code
from autoglm_phone.core.voice import VOICE_RATE
from autoglm_phone.server.convert import first_fault
from autoglm_phone.server.schemas.messages import MAX_TOOLS

MAX_TEXT_CHARS = 100_000


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class InputFormat(_Part):
    """16-bit little-endian mono. 24000 Hz as OpenAI has it, or 16000, what is listened to."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000, 16000] = 24000


class OutputFormat(_Part):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


assert OutputFormat().rate == VOICE_RATE


class TranscriptionConfig(_Part):
    """model may be any: there is one transcriber."""

    model: Annotated[str, Field(max_length=256)] = "whisper-1"
    language: Annotated[str, Field(max_length=64)] | None = None
    prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None


class ServerVad(_Part):
    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0.05, le=0.95)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=5000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=100, le=10_000)] = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: None = None

    @property
    def rules(self) -> TurnRules:
        return TurnRules(self.threshold, self.prefix_padding_ms, self.silence_duration_ms)


class AudioInput(_Part):
    """turn_detection null: the client ends the turns. transcription null: nothing is told of what was heard."""

    format: InputFormat = InputFormat()
    transcription: TranscriptionConfig | None = TranscriptionConfig()
    turn_detection: ServerVad | None = ServerVad()
    noise_reduction: None = None

    @property
    def rate(self) -> int:
        return self.format.rate


class AudioOutput(_Part):
    """voice: an id, or empty for the one that suits the language of the text."""

    format: OutputFormat = OutputFormat()
    voice: Annotated[str, Field(max_length=64)] = ""
    speed: Annotated[float, Field(ge=0.25, le=1.5)] = 1.0


class Audio(_Part):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class Reasoning(_Part):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class SessionConfig(_Part):
    type: Literal["realtime", "transcription"] = "realtime"
    object: Literal["realtime.session"] = "realtime.session"
    id: str
    model: str
    output_modalities: Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=1)]
    instructions: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    audio: Audio = Audio()
    tools: Annotated[list[dict[str, Any]], Field(max_length=MAX_TOOLS)] = []
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: Annotated[int, Field(ge=1)] | Literal["inf"] = "inf"
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] = "auto"
    include: None = None
    prompt: None = None
    tracing: None = None

    @property
    def responds(self) -> bool:
        """Whether a turn that a voice has ended is answered."""
        turn_detection = self.audio.input.turn_detection
        return self.type == "realtime" and turn_detection is not None and turn_detection.create_response

    @property
    def language(self) -> str | None:
        transcription = self.audio.input.transcription
        return language_code(transcription.language) if transcription and transcription.language else None

    def wire(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"include", "prompt", "tracing"})


# Set by the server, or with one value that asks for nothing.
_FIXED = frozenset({"id", "object"})


def updated(session: SessionConfig, given: Mapping[str, Any], *, has_voice: bool) -> SessionConfig:
    """Raises InvalidRequest that names the field."""
    laid = _laid_over(session.model_dump(), {name: value for name, value in given.items() if name not in _FIXED})
    if isinstance(laid.get("tracing"), str):  # "auto" traces to a dashboard that there is not
        laid["tracing"] = None
    return checked(laid, has_voice=has_voice)


def checked(values: Mapping[str, Any], *, has_voice: bool) -> SessionConfig:
    try:
        session = SessionConfig.model_validate(values)
    except ValidationError as error:
        fault = first_fault(error)
        is_unknown = error.errors(include_url=False)[0]["type"] == "extra_forbidden"
        message = f"`{fault.param}` is not supported by this server" if is_unknown else fault.message
        raise InvalidRequest(message, param=f"session.{fault.param}") from None
    transcription = session.audio.input.transcription
    if transcription is not None and transcription.language and session.language is None:
        raise InvalidRequest(
            f"`session.audio.input.transcription.language`: {transcription.language!r} is not known",
            param="session.audio.input.transcription.language",
        )
    if session.output_modalities == ["audio"] and not has_voice:
        raise InvalidRequest(
            '`session.output_modalities`: this server has no voice module, so it answers in text: send ["text"]',
            param="session.output_modalities",
        )
    return session


# Where null is a value of its own.
_NULLABLE = frozenset({"turn_detection", "transcription", "reasoning"})


def _laid_over(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in new.items():
        before = old.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and name != "tool_choice":
            result[name] = _laid_over(before, value)
        elif value is not None or name in _NULLABLE:
            result[name] = value
    return result
