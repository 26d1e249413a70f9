"""What a transcript's language means for its writing: its name, its spaces, its script."""

from functools import cache

import opencc

from autoglm_phone.core.languages import LANGUAGES
from autoglm_phone.core.transcript import Task

_CHINESE = frozenset({"zh", "yue"})
_WITHOUT_SPACES = _CHINESE | {"ja", "th", "lo", "my", "km", "bo"}


def language_name(code: str) -> str:
    return LANGUAGES.get(code, f"language {code}").title()


def text_language(task: Task, spoken: str) -> str:
    """What is written where `spoken` is heard."""
    return "en" if task == "translate" else spoken


def word_space(code: str) -> str:
    return "" if code in _WITHOUT_SPACES else " "


def to_simplified(text: str, code: str) -> str:
    """Whisper writes Chinese in either script, as it comes; other languages keep their characters."""
    return _converter().convert(text) if code in _CHINESE else text


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
