"""What a chat streams: one Started, then pieces of its choices, each of which ends with exactly one Finished.

`choice` numbers the answers of a request that asks for several (`ChatRequest.num_choices`); they come interleaved.
"""

from dataclasses import dataclass
from typing import Literal

StopReason = Literal["stop", "length", "tool_calls"]


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
class TokenChance:
    """A token and the natural logarithm of its probability. data: its bytes, perhaps part of a character."""

    data: bytes
    logprob: float


@dataclass(frozen=True)
class TokenLog:
    """A token of the answer, and the likeliest ones at its place. offset: where it begins, in bytes of the answer."""

    chosen: TokenChance
    top: tuple[TokenChance, ...]
    offset: int


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
    choice: int = 0


@dataclass(frozen=True)
class ContentDelta:
    """text may be empty where logs alone are to be told. logs: of the tokens that this text ends, if asked for."""

    text: str
    choice: int = 0
    logs: tuple[TokenLog, ...] = ()


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of one call. The first of each call has its id and name, later ones only more of the arguments.

    index numbers the calls of one answer from 0. arguments: the next piece of their JSON text.
    """

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    choice: int = 0


@dataclass(frozen=True)
class Finished:
    """usage counts this choice's tokens; all choices of a request share one prompt."""

    reason: StopReason
    usage: Usage
    choice: int = 0


Delta = Started | ReasoningDelta | ContentDelta | ToolCallDelta | Finished
