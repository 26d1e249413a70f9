"""Piece: text together with whose it is. Only trusted text can name control tokens."""

from dataclasses import dataclass

from autoglm_phone.core.ids import TokenId

PLACE_TOKEN = TokenId(-1)
"""Stands among tokens where a medium's embeddings will be; no vocabulary has it."""


@dataclass(frozen=True)
class Piece:
    """is_trusted: written by us or by the model's maker, not by a user, a medium, a tool or the model itself.

    is_place: no text, but the place of a medium's embeddings.
    """

    text: str
    is_trusted: bool = False
    is_place: bool = False


PLACE = Piece("", is_trusted=True, is_place=True)
