"""What POST /v1/audio/transcriptions and /translations answer as JSON and as events: OpenAI's forms."""

import math
from collections.abc import Sequence
from typing import Any

from autoglm_phone.core.languages import LANGUAGES
from autoglm_phone.core.transcript import HearingOptions, Segment, Transcript

# Whisper's encoder looks at a sound every 20 ms.
AUDIO_TOKENS_PER_S = 50
_FRAMES_PER_S = 100


def transcript_json(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, "usage": _duration_usage(transcript)}


def verbose_json(transcript: Transcript, options: HearingOptions, granularities: Sequence[str]) -> dict[str, Any]:
    """language is that of the text, so always English for a translation."""
    spoken = transcript.language or options.language or ""
    answer: dict[str, Any] = {
        "task": options.task,
        "language": "english" if options.task == "translate" else LANGUAGES.get(spoken, "unknown"),
        "duration": _rounded(transcript.duration_s),
        "text": transcript.text,
    }
    if "segment" in granularities:
        answer["segments"] = [_segment(index, segment) for index, segment in enumerate(transcript.segments)]
    if "word" in granularities:
        answer["words"] = [
            {
                "word": word.text,
                "start": _rounded(word.start_s),
                "end": _rounded(word.end_s),
                "probability": _rounded(word.probability),
            }
            for segment in transcript.segments
            for word in segment.words
        ]
    return answer | {"usage": _duration_usage(transcript)}


def delta_event(text: str) -> dict[str, Any]:
    return {"type": "transcript.text.delta", "delta": text}


def done_event(transcript: Transcript) -> dict[str, Any]:
    audio_tokens = math.ceil(transcript.duration_s * AUDIO_TOKENS_PER_S)
    text_tokens = sum(heard.prompt_tokens for heard in transcript.heard)
    output_tokens = sum(len(segment.tokens) for segment in transcript.segments)
    return {
        "type": "transcript.text.done",
        "text": transcript.text,
        "usage": {
            "type": "tokens",
            "input_tokens": audio_tokens + text_tokens,
            "input_token_details": {"audio_tokens": audio_tokens, "text_tokens": text_tokens},
            "output_tokens": output_tokens,
            "total_tokens": audio_tokens + text_tokens + output_tokens,
        },
    }


def _segment(index: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": index,
        "seek": round(segment.window_start_s * _FRAMES_PER_S),
        "start": _rounded(segment.start_s),
        "end": _rounded(segment.end_s),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": _rounded(segment.avg_logprob),
        "compression_ratio": _rounded(segment.compression_ratio),
        "no_speech_prob": _rounded(segment.no_speech_probability),
    }


def _duration_usage(transcript: Transcript) -> dict[str, Any]:
    """Whole seconds, begun ones counted, as OpenAI bills them."""
    return {"type": "duration", "seconds": math.ceil(transcript.duration_s)}


def _rounded(value: float) -> float:
    """To milliseconds, and other numbers as far."""
    return round(value, 3)
