"""Piece: text together with whose it is. Only trusted text can name control tokens."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """is_trusted: written by us or by the model's maker, not by a user, a medium, a tool or the model itself."""

    text: str
    is_trusted: bool = False
