import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES  # type: ignore[import-untyped]  # ships no types

from autoglm_phone.core.languages import LANGUAGES, language_code


def test_the_languages_are_whispers() -> None:
    assert set(LANGUAGES) == set(_LANGUAGE_CODES)
    assert len(set(LANGUAGES.values())) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("name", "code"),
    [("en", "en"), ("ZH", "zh"), (" Chinese ", "zh"), ("mandarin", "zh"), ("jv", "jw"), ("haitian creole", "ht")],
)
def test_a_language_has_several_names(name: str, code: str) -> None:
    assert language_code(name) == code


@pytest.mark.parametrize("name", ["", "xx", "en-US", "klingon", "<|en|>", "e" * 1000])
def test_other_names_are_unknown(name: str) -> None:
    assert language_code(name) is None
