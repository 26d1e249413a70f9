"""English text to Kokoro's phonemes: a dictionary, endings, spelling, and letters where nothing else helps.

The dictionary is that of the package misaki (Apache-2.0), with whose phonemes the voice was trained; it is read as
data. So are the endings after its rules. Source: github.com/hexgrad/misaki, en.py.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoglm_phone.models.voice.english_numbers import number_words, ordinal_words
from autoglm_phone.models.voice.letter_sounds import letter_sounds

Lexicon = Mapping[str, str]

_TOKEN = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*['’]?|[.,!?;:…—()\"“”]|\s+|.", re.DOTALL)
_ORDINAL = re.compile(r"\b(\d{1,9})(?:st|nd|rd|th)\b")
_MONEY = re.compile(r"([$€£¥])\s?(\d[\d,]*(?:\.\d+)?)")
_TIME = re.compile(r"\b(\d{1,2}):(\d{2})\b")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_UNITS = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yuan"}
_SIGNS = {
    "&": " and ",
    "%": " percent ",
    "+": " plus ",
    "=": " equals ",
    "@": " at ",
    "#": " number ",
}
_MARKS = frozenset('.,!?;:…—()"“”')
_VOWELS = frozenset("AIOQWYaeiouæɑɐɒɔəɛɜɪʊʌᵻ")
_MAX_SPELT = 5


def load_lexicon(gold: Path, silver: Path) -> Lexicon:
    """Where a word is said in several ways, the commonest. gold outweighs silver."""
    words: dict[str, str] = {}
    for path in (silver, gold):
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for word, sounds in entries.items():
            said = sounds["DEFAULT"] if isinstance(sounds, dict) else sounds
            if said:
                words[word] = said
    return words


def english_phonemes(text: str, lexicon: Lexicon) -> str:
    """Of the symbols alone; what cannot be said is left out."""
    words = _TOKEN.findall(_in_words(text).replace("’", "'"))
    said = [_say(word, lexicon) for word in words]
    return re.sub(r"\s+", " ", "".join(_joined(words, said))).strip()


def _in_words(text: str) -> str:
    text = _MONEY.sub(lambda money: f"{money[2]} {_UNITS[money[1]]}", text)
    text = _TIME.sub(lambda time: f"{time[1]} {time[2] if time[2] != '00' else ''}", text)
    text = _ORDINAL.sub(lambda number: ordinal_words(int(number[1])), text)
    text = _CAMEL.sub(" ", text)
    text = _NUMBER.sub(lambda number: f" {number_words(number[0])} ", text)
    return "".join(_SIGNS.get(character, character) for character in text)


def _joined(words: list[str], said: list[str]) -> list[str]:
    """The little words are said as what follows has them."""
    result = []
    for index, (word, sounds) in enumerate(zip(words, said, strict=True)):
        following = next((one for one in said[index + 1 :] if one.strip() and one not in _MARKS), "")
        is_vowel_next = following.lstrip("ˈˌ")[:1] in _VOWELS
        match word.lower():
            case "the":
                sounds = "ði" if is_vowel_next else "ðə"
            case "to":
                sounds = "tʊ" if is_vowel_next else "tə"
            case "a" if word == "a":
                sounds = "ɐ"
        result.append(sounds)
    return result


def _say(word: str, lexicon: Lexicon) -> str:
    if word in _MARKS:
        return word
    if not word[0].isalpha() or not word.isascii():
        return " "
    known = _known(word, lexicon)
    if known is not None:
        return known
    letters = re.sub(r"[^a-z]", "", word.lower())
    if (word.isupper() and len(word) <= _MAX_SPELT) or not set(letters) & set("aeiouy"):
        return _spelt(word, lexicon)
    return _compound(letters, lexicon) or letter_sounds(letters)


def _known(word: str, lexicon: Lexicon) -> str | None:
    for form in (word, word.lower(), word.capitalize(), word.rstrip("'")):
        if form in lexicon:
            return lexicon[form]
    lower = word.lower()
    if lower[-3:] in ("ies", "ied") and (stem := lower[:-3] + "y") in lexicon:
        return lexicon[stem] + ("z" if lower.endswith("s") else "d")
    for ending, sound in (("s", _plural), ("ed", _past), ("ing", _going)):
        stem = lower.removesuffix(ending).rstrip("'")
        forms = [stem, stem + "e", stem[:-1] if stem[-2:-1] == stem[-1:] else ""]
        known = next((form for form in forms if len(form) > 1 and form in lexicon), None)
        if stem != lower and known is not None:
            return sound(lexicon[known])
    return None


def _plural(stem: str) -> str:
    if stem[-1] in "ptkfθ":
        return stem + "s"
    return stem + ("ᵻz" if stem[-1] in "szʃʒʧʤ" else "z")


def _past(stem: str) -> str:
    if stem[-1] in "td":
        return stem + "ᵻd"
    return stem + ("t" if stem[-1] in "pkfθʃsʧ" else "d")


def _going(stem: str) -> str:
    return stem + "ɪŋ"


def _spelt(word: str, lexicon: Lexicon) -> str:
    return "".join(lexicon.get(letter.upper(), "") for letter in word if letter.isalpha())


def _compound(letters: str, lexicon: Lexicon) -> str | None:
    """Two known words of three letters or more, the first as long as may be."""
    for cut in range(len(letters) - 3, 2, -1):
        second = _known(letters[cut:], lexicon)
        if letters[:cut] in lexicon and second is not None:
            return lexicon[letters[:cut]] + second.replace("ˈ", "ˌ")
    return None
