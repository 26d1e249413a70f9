"""What was said in a sound, and when: how a transcription is asked for, and what comes of it window by window."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.media import Waveform
from autoglm_phone.core.request import Client

Task = Literal["transcribe", "translate"]
"""translate: into English, whatever is spoken."""


@dataclass(frozen=True)
class HearingOptions:
    """How a sound is to be heard.

    language      the code of what is spoken (`core.languages`); None: detected
    prompt        words before the sound: names and spellings to expect
    temperature   0 takes the likeliest words
    with_times    sentences and words with their times, for a tenth more work; else one segment a window
    is_draft      of a sound that goes on: as fast as may be, and a guess is told, too
    """

    task: Task = "transcribe"
    language: str | None = None
    prompt: str = ""
    temperature: float = 0.0
    with_times: bool = False
    is_draft: bool = False


@dataclass(frozen=True)
class Word:
    """text has no spaces around it; the punctuation behind a word is part of it."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Segment:
    """A sentence, or all that one window holds. The texts of all segments, joined, are the transcript.

    tokens               of the transcriber's own vocabulary
    window_start_s       where the window begins that the last three were measured on
    avg_logprob, no_speech_probability, compression_ratio    as whisper's own programs tell them
    """

    text: str
    start_s: float
    end_s: float
    tokens: tuple[int, ...]
    temperature: float
    window_start_s: float
    avg_logprob: float
    no_speech_probability: float
    compression_ratio: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Heard:
    """What one window was heard as; no segments where nobody speaks. Times are those of the whole sound.

    language        the code of what is spoken; empty as long as nobody has spoken
    prompt_tokens   how many tokens of HearingOptions.prompt the window was given
    """

    language: str
    segments: tuple[Segment, ...]
    prompt_tokens: int = 0

    @property
    def text(self) -> str:
        """With the space that parts it from an earlier window."""
        return "".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Transcript:
    """All that was heard in a sound, silent windows left out."""

    duration_s: float
    heard: tuple[Heard, ...]

    @property
    def text(self) -> str:
        return "".join(one.text for one in self.heard).lstrip()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(segment for one in self.heard for segment in one.segments)

    @property
    def language(self) -> str:
        """The code of what is spoken first; empty if nobody speaks."""
        return self.heard[0].language if self.heard else ""


@dataclass(frozen=True)
class TranscriptEnd:
    """Behind the last window: how long the sound is, and what caches and counters need."""

    duration_s: float
    media_digest: Digest
    module_digest: Digest
    was_cached: bool
    seconds: float


class Listener(Protocol):
    """Hears a sound window by window. Blocking; what is not asked of the iterator is not computed."""

    def hear(self, sound: Waveform, options: HearingOptions) -> Iterator[Heard]: ...


class TranscriptionDoor(Protocol):
    """The door to the media process for whole transcripts: any number of Heard, then one TranscriptEnd.

    Closing the generator gives up the rest of the work.
    """

    def has(self, modality: Literal["vision", "speech"]) -> bool: ...

    def transcribe(
        self, data: bytes, options: HearingOptions, *, param: str, client: Client = ...
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]: ...
