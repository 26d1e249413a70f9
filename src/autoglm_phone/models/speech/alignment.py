"""When each word of a window was spoken, by where the decoder's attention was. One pass of the decoder more."""

from collections.abc import Sequence

from ctranslate2 import StorageView  # type: ignore[import-untyped]  # ships no types
from faster_whisper import WhisperModel  # type: ignore[import-untyped]  # ships no types
from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]  # ships no types
from faster_whisper.transcribe import merge_punctuations  # type: ignore[import-untyped]  # ships no types

from autoglm_phone.models.speech.sentences import TimedWord

# As OpenAI's and faster-whisper's own programs attach them.
_BEFORE = "\"'“¿([{-"
_BEHIND = "\"'.。,，!！?？:：”)]}、"


def aligned_words(
    whisper: WhisperModel, tokenizer: Tokenizer, encoded: StorageView, tokens: Sequence[int], num_frames: int
) -> list[TimedWord]:
    """Times from the window's beginning; num_frames of it are speech. The texts, joined, are that of the tokens."""
    [alignment] = whisper.find_alignment(tokenizer, [list(tokens)], encoded, num_frames)
    merge_punctuations(alignment, _BEFORE, _BEHIND)
    return [
        TimedWord(
            word["word"], tuple(word["tokens"]), float(word["start"]), float(word["end"]), float(word["probability"])
        )
        for word in alignment
        if word["word"]  # what was merged into its neighbour is left empty
    ]
