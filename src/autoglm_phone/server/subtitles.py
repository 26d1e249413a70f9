"""A transcript as subtitles: SubRip and WebVTT. Pure."""

from collections.abc import Iterator

from autoglm_phone.core.transcript import Segment, Transcript

_MS_PER_S = 1000


def to_srt(transcript: Transcript) -> str:
    cues = [
        f"{number}\n{_time(start_ms, ',')} --> {_time(end_ms, ',')}\n{text}\n\n"
        for number, (start_ms, end_ms, text) in enumerate(_cues(transcript), start=1)
    ]
    return "".join(cues)


def to_vtt(transcript: Transcript) -> str:
    """Source: W3C WebVTT, section 4.1: the end of a cue is after its start, and `&` and `<` stand for themselves only
    when escaped."""
    cues = [
        f"{_time(start_ms, '.')} --> {_time(end_ms, '.')}\n{_escaped(text)}\n\n"
        for start_ms, end_ms, text in _cues(transcript)
    ]
    return "".join(["WEBVTT\n\n", *cues])


def _cues(transcript: Transcript) -> Iterator[tuple[int, int, str]]:
    for segment in transcript.segments:
        if text := _text(segment):
            start_ms = round(segment.start_s * _MS_PER_S)
            yield start_ms, max(round(segment.end_s * _MS_PER_S), start_ms + 1), text


def _text(segment: Segment) -> str:
    """One line: an empty one would end the cue, and an arrow would begin another."""
    return " ".join(segment.text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, _MS_PER_S)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
