"""What a transcript's language means for its writing: its name, its spaces, its script."""

from functools import cache

import opencc

_CHINESE = frozenset({"zh", "yue"})
_WITHOUT_SPACES = _CHINESE | {"ja", "th", "lo", "my", "km", "bo"}
_NAMES = {
    "ar": "Arabic",
    "cs": "Czech",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "yue": "Cantonese",
    "zh": "Chinese",
}


def language_name(code: str) -> str:
    """The English name of a frequent language, or its code."""
    return _NAMES.get(code, f"language {code}")


def word_space(code: str) -> str:
    return "" if code in _WITHOUT_SPACES else " "


def to_simplified(text: str, code: str) -> str:
    """Whisper writes Chinese in either script, as it comes; other languages keep their characters."""
    return _converter().convert(text) if code in _CHINESE else text


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
