"""The phoneme symbols that Kokoro was trained with, and their numbers.

Source: `vocab` in the config.json of Kokoro-82M (Apache-2.0). Capitals are diphthongs: A as in day, I as in eye,
O as in go, W as in now, Y as in boy, Q as in the British go. Arrows are the tones of Mandarin.
"""

from collections.abc import Mapping

# From each number on, `_` where no symbol has it.
_RUNS = (
    (1, ';:,.!?__—…"()“” ̃ʣʥʦʨᵝꭧAI'),
    (31, "O_Q_ST__W_Yᵊabcdef_hijklmnopqrstuvwxyzɑɐɒæ__βɔɕç_ɖðʤə_ɚɛɜ__ɟ_ɡ"),
    (99, "ɥ_ɨɪʝ"),
    (110, "ɯɰŋɳɲɴø_ɸθœ__ɹ_ɾɻ_ʁɽʂʃʈʧ_ʊʋ_ʌɣɤ_χʎ___ʒʔ"),
    (156, "ˈˌː___ʰ_ʲ"),
    (169, "↓_→↗↘___ᵻ"),
)
_UNUSED = "_"

SYMBOLS: Mapping[str, int] = {
    symbol: first + place for first, symbols in _RUNS for place, symbol in enumerate(symbols) if symbol != _UNUSED
}
