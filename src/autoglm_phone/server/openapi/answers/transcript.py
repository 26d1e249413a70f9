"""What POST /v1/audio/transcriptions and /translations answer as JSON and as events."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class DurationUsage(TypedDict):
    type: Literal["duration"]
    seconds: Annotated[int, Field(description="Begun seconds count.")]


class TranscriptText(TypedDict):
    text: str
    usage: DurationUsage


class TranscriptSegment(TypedDict):
    id: int
    seek: Annotated[int, Field(description="Begin of its window, in hundredths of a second.")]
    start: Annotated[float, Field(description="Seconds.")]
    end: Annotated[float, Field(description="Seconds.")]
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class TranscriptWord(TypedDict):
    word: str
    start: Annotated[float, Field(description="Seconds.")]
    end: Annotated[float, Field(description="Seconds.")]
    probability: float


class TranscriptVerbose(TypedDict):
    task: Literal["transcribe", "translate"]
    language: Annotated[str, Field(description="English name of the text's language.")]
    duration: Annotated[float, Field(description="Seconds.")]
    text: str
    segments: NotRequired[list[TranscriptSegment]]
    words: NotRequired[Annotated[list[TranscriptWord], Field(description="If `timestamp_granularities` has `word`.")]]
    usage: DurationUsage


class TranscriptDelta(TypedDict):
    type: Literal["transcript.text.delta"]
    delta: str


class SoundTokensDetails(TypedDict):
    audio_tokens: int
    text_tokens: int


class TokenUsage(TypedDict):
    type: Literal["tokens"]
    input_tokens: int
    input_token_details: SoundTokensDetails
    output_tokens: int
    total_tokens: int


class TranscriptDone(TypedDict):
    type: Literal["transcript.text.done"]
    text: str
    usage: TokenUsage
