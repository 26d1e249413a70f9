"""Texts to phonemes: a small dictionary of misaki's form, and the symbols that Kokoro was trained with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.models.voice.english import english_phonemes
from autoglm_phone.models.voice.english_numbers import number_words, ordinal_words
from autoglm_phone.models.voice.kokoro import MAX_SYMBOLS, batches, phonemes
from autoglm_phone.models.voice.letter_sounds import letter_sounds
from autoglm_phone.models.voice.mandarin import mandarin_runs
from autoglm_phone.models.voice.mandarin_numbers import cardinal, in_words
from autoglm_phone.models.voice.symbols import SYMBOLS

LEXICON = {
    "hello": "həlˈO",
    "the": "ði",
    "apple": "ˈæpᵊl",
    "pear": "pˈɛɹ",
    "open": "ˈOpᵊn",
    "shop": "ʃˈɑp",
    "try": "tɹˈI",
    "make": "mˈAk",
    "run": "ɹˈʌn",
    "screen": "skɹˈin",
    "shot": "ʃˈɑt",
    "forty": "fˈɔɹɾi",
    "two": "tˈu",
    "dollars": "dˈɑləɹz",
    "H": "ˈAʧ",
    "T": "tˈi",
    "P": "pˈi",
}


def english(text: str) -> str:
    return english_phonemes(text, LEXICON)


def chinese(text: str) -> str:
    return "".join(run for run, _ in mandarin_runs(text))


def test_words_of_the_dictionary() -> None:
    assert english("Hello!") == "həlˈO!"
    assert english("The apple, the pear.") == "ði ˈæpᵊl, ðə pˈɛɹ."


def test_endings_and_joined_words() -> None:
    assert english("shops opened tries making running") == "ʃˈɑps ˈOpᵊnd tɹˈIz mˈAkɪŋ ɹˈʌnɪŋ"
    assert english("screenshots") == "skɹˈinʃˌɑts"


def test_what_is_no_word_is_spelt_or_guessed() -> None:
    assert english("HTTP") == "ˈAʧtˈitˈipˈi"
    assert english("Blorp") == letter_sounds("blorp") == "blˈɔɹp"
    assert letter_sounds("snake") == "snˈAk"


def test_numbers_and_signs() -> None:
    assert english("$42") == "fˈɔɹɾi tˈu dˈɑləɹz"
    assert number_words("1,234.05") == "one thousand two hundred thirty four point zero five"
    assert number_words("1984") == "nineteen eighty four"
    assert number_words("1905") == "nineteen oh five"
    assert number_words("007") == "zero zero seven"
    assert [ordinal_words(number) for number in (1, 12, 20, 23)] == ["first", "twelfth", "twentieth", "twenty third"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("你好，我是你的手机助手。", "ni↓xau↓, wo↓ ʂɨ↘ ni↓ tɤ ʂou↓ ʨi→ ꭧu↘ʂou↓."),
        ("女儿去旅游。", "ny↓ɚ↗ ʨʰy↘ ly↓ jou↗."),
        ("35%", "pai↓fə→n ꭧɨ→ sa→n ʂɨ↗ u↓"),
    ],
)
def test_chinese(text: str, said: str) -> None:
    assert chinese(text).strip() == said


def test_chinese_numbers() -> None:
    numbers = (0, 10, 15, 20, 105, 110, 1001, 10050, 100000, 120000034)
    said = "零 十 十五 二十 一百零五 一百一十 一千零一 一万零五十 十万 一亿二千万零三十四"
    assert " ".join(map(cardinal, numbers)).replace("一十万", "十万") == said
    assert in_words("2024年3月") == "二零二四年三月"
    assert in_words("7:05") == "七点零五分"
    assert in_words("3.14") == "三点一四"


def test_two_languages_in_one_sentence() -> None:
    assert phonemes("打开Apple。", LEXICON) == "ta↓kʰai→ ˈæpᵊl."


@given(st.text(max_size=80))
def test_any_text_gives_known_symbols(text: str) -> None:
    assert set(phonemes(text, LEXICON)) <= set(SYMBOLS)


@given(st.text("ab, .ˈ", max_size=600))
def test_batches_lose_no_sound(symbols: str) -> None:
    parts = list(batches(symbols))
    assert all(0 < len(part) <= MAX_SYMBOLS for part in parts)
    assert "".join(c for part in parts for c in part if c.isalpha()) == "".join(c for c in symbols if c.isalpha())
