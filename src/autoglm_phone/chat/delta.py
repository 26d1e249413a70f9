"""What a chat streams: one Started, then pieces of text, then exactly one Finished, always last."""

from dataclasses import dataclass

from autoglm_phone.core.request import FinishReason


@dataclass(frozen=True)
class Usage:
    """Counts in tokens. Image and audio tokens are those of the media's spans in the prompt."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    image_tokens: int
    audio_tokens: int
    reasoning_tokens: int
    dropped_messages: int


@dataclass(frozen=True)
class Started:
    """The prompt is built and fits; sent before the engine answers.

    dropped_messages: how many of the oldest messages the window policy left out.
    """

    prompt_tokens: int
    dropped_messages: int


@dataclass(frozen=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True)
class ContentDelta:
    text: str


@dataclass(frozen=True)
class Finished:
    reason: FinishReason
    usage: Usage


Delta = Started | ReasoningDelta | ContentDelta | Finished
