"""English words that are in no dictionary, by their letters: the commonest sound of each spelling. Pure.

Rough on purpose: names of applications and products are what comes here. After the idea, not the rules, of Elovitz et
al. 1976 (NRL Report 7948).
"""

# The longest that fits comes first; (spelling, sound). `^` begins a word, `$` ends it.
_RULES: tuple[tuple[str, str], ...] = (
    *(("^kn", "n"), ("^wr", "ɹ"), ("^ps", "s"), ("^wh", "w"), ("^x", "z"), ("^gn", "n"), ("^y", "j")),
    *(("tion", "ʃən"), ("sion", "ʒən"), ("cious", "ʃəs"), ("tious", "ʃəs"), ("ture", "ʧəɹ"), ("ough", "ˈO")),
    *(("eigh", "ˈA"), ("igh", "ˈI"), ("tch", "ʧ"), ("dge", "ʤ"), ("sch", "sk"), ("ous$", "əs"), ("age$", "ɪʤ")),
    *(("ing$", "ɪŋ"), ("ies$", "iz"), ("ed$", "d"), ("es$", "z"), ("le$", "ᵊl"), ("er$", "əɹ"), ("or$", "əɹ")),
    *(("ar", "ˈɑɹ"), ("er", "ˈɜɹ"), ("ir", "ˈɜɹ"), ("or", "ˈɔɹ"), ("ur", "ˈɜɹ"), ("air", "ˈɛɹ"), ("ear", "ˈɪɹ")),
    *(("ai", "ˈA"), ("ay", "ˈA"), ("ei", "ˈA"), ("ey$", "i"), ("ee", "ˈi"), ("ea", "ˈi"), ("ie$", "i"), ("ie", "ˈi")),
    *(("oa", "ˈO"), ("oe", "ˈO"), ("oo", "ˈu"), ("ou", "ˈW"), ("ow$", "O"), ("ow", "ˈW"), ("oi", "ˈY"), ("oy", "ˈY")),
    *(("au", "ˈɔ"), ("aw", "ˈɔ"), ("ew", "ˈu"), ("eu", "jˈu"), ("ue$", "ˈu"), ("ui", "ˈu")),
    *(("ch", "ʧ"), ("sh", "ʃ"), ("th", "θ"), ("ph", "f"), ("gh", "ɡ"), ("ck", "k"), ("qu", "kw"), ("ng", "ŋ")),
    *(("nk", "ŋk"), ("ce", "s"), ("ci", "sɪ"), ("cy", "si"), ("ge$", "ʤ"), ("gi", "ʤɪ"), ("gy", "ʤi"), ("mb$", "m")),
    *(("bb", "b"), ("cc", "k"), ("dd", "d"), ("ff", "f"), ("gg", "ɡ"), ("ll", "l"), ("mm", "m"), ("nn", "n")),
    *(("pp", "p"), ("rr", "ɹ"), ("ss", "s"), ("tt", "t"), ("zz", "z")),
    *(("a$", "ə"), ("e$", ""), ("i$", "i"), ("o$", "O"), ("u$", "u"), ("y$", "i")),
    *(("a", "ˈæ"), ("e", "ˈɛ"), ("i", "ˈɪ"), ("o", "ˈɑ"), ("u", "ˈʌ"), ("y", "ˈɪ")),
    *(("b", "b"), ("c", "k"), ("d", "d"), ("f", "f"), ("g", "ɡ"), ("h", "h"), ("j", "ʤ"), ("k", "k"), ("l", "l")),
    *(("m", "m"), ("n", "n"), ("p", "p"), ("q", "k"), ("r", "ɹ"), ("s", "s"), ("t", "t"), ("v", "v"), ("w", "w")),
    *(("x", "ks"), ("z", "z")),
)
_LONG_BEFORE_SILENT_E = {"a": "A", "i": "I", "o": "O", "u": "u"}
_VOWELS = frozenset("aeiouy")
_STRESS = "ˈ"


def letter_sounds(word: str) -> str:
    """word: letters a to z. At most one stress, on the first vowel that can have it."""
    text = f"^{word}$"
    at, sounds = 1, ""
    while at < len(text) - 1:
        spelling, sound = _rule_at(text, at)
        if spelling in _LONG_BEFORE_SILENT_E and _is_before_silent_e(text, at):
            sound = _STRESS + _LONG_BEFORE_SILENT_E[spelling]
        sounds += sound
        at += len(spelling.strip("^$"))
    first, stress, rest = sounds.partition(_STRESS)
    return first + stress + rest.replace(_STRESS, "")


def _rule_at(text: str, at: int) -> tuple[str, str]:
    for spelling, sound in _RULES:
        start = at - 1 if spelling.startswith("^") else at
        if text.startswith(spelling, start):
            return spelling, sound
    return text[at], ""


def _is_before_silent_e(text: str, at: int) -> bool:
    return text[at + 2 :] in ("e$", "es$", "ed$") and text[at + 1] not in _VOWELS
