"""StreamDecoder: tokens to text, holding back an unfinished character."""

import codecs
from collections.abc import Callable, Iterable

from autoglm_phone.core.ids import TokenId


class StreamDecoder:
    def __init__(self, decode_bytes: Callable[[TokenId], bytes]) -> None:
        self._decode_bytes = decode_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, tokens: Iterable[TokenId], *, final: bool = False) -> str:
        """Text that is certain now. With final, what is left of a broken character becomes U+FFFD."""
        return self._utf8.decode(b"".join(self._decode_bytes(token) for token in tokens), final)
