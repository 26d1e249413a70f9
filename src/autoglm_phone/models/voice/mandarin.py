"""Chinese text to Kokoro's phonemes, by pinyin.

The voice was trained with the phonemes of misaki's first Chinese front end (Apache-2.0), which takes them from
pinyin-to-ipa (MIT): the table below. Source: github.com/hexgrad/misaki, zh.py and transcription.py.
"""

import re
from collections.abc import Iterator

from pypinyin import Style, lazy_pinyin
from pypinyin.contrib.tone_convert import to_finals, to_initials
from pypinyin.seg.mmseg import seg

from autoglm_phone.models.voice.mandarin_numbers import in_words

_INITIALS = {
    "b": "p", "c": "ʦʰ", "ch": "ꭧʰ", "d": "t", "f": "f", "g": "k", "h": "x", "j": "ʨ", "k": "kʰ", "l": "l", "m": "m",
    "n": "n", "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s", "sh": "ʂ", "t": "tʰ", "x": "ɕ", "z": "ʦ", "zh": "ꭧ", "": "",
}  # fmt: skip
# `0` is where the tone stands.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iou": "jou0",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0", "uai": "wai0",
    "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "ü": "y0", "üe": "ɥe0",
    "üan": "ɥɛ0n", "ün": "y0n",
}  # fmt: skip
_WHOLE = {"er": "ɚ0", "ê": "ɛ0", "o": "ɔ0", "io": "jɔ0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "hm0", "hng": "hŋ0"}
_BUZZING = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_MARKS = str.maketrans({
    "、": ", ", "，": ", ", "。": ". ", "．": ". ", "！": "! ", "：": ": ", "；": "; ", "？": "? ",
    "《": " “", "》": "” ", "「": " “", "」": "” ", "【": " “", "】": "” ", "（": " (", "）": ") ",
})  # fmt: skip
CHINESE = re.compile("[\u3400-\u9fff]")
_RUNS = re.compile("[\u3400-\u9fff]+|[^\u3400-\u9fff]+")


def mandarin_runs(text: str) -> Iterator[tuple[str, bool]]:
    """Phonemes of what is Chinese, and True; what is not, as it came, and False. Numbers are read as Chinese."""
    for run in _RUNS.findall(in_words(text).translate(_MARKS)):
        if CHINESE.match(run):
            yield " ".join(_word(word) for word in seg.cut(run)), True
        else:
            yield run, False


def _word(word: str) -> str:
    return "".join(map(_syllable, lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)))


def _syllable(pinyin: str) -> str:
    """Empty for a character that has no pinyin."""
    plain, tone = pinyin[:-1], pinyin[-1:]
    if tone not in _TONES:
        return ""
    if plain in _WHOLE:
        return _WHOLE[plain].replace("0", _TONES[tone])
    initial = to_initials(plain, strict=True)
    final = to_finals(plain, strict=True, v_to_u=True)
    sound = "ɨ0" if initial in _BUZZING and final == "i" else _FINALS.get(final, "")
    return (_INITIALS.get(initial, "") + sound).replace("0", _TONES[tone])
