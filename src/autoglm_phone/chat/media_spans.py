"""Embeddings put into a prompt: each medium takes as many places as it has, where its mark's place is."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.module import Embeddings, MediaReading
from autoglm_phone.core.prompt import EmbedSpan, Prompt
from autoglm_phone.text.piece import PLACE_TOKEN


@dataclass(frozen=True, eq=False)
class PlacedMedium:
    """A medium that has become embeddings. placeholder: the token that is shown for each of them."""

    embeddings: Embeddings
    source: MediaReading
    placeholder: TokenId


def num_more_tokens(media: Sequence[PlacedMedium]) -> int:
    """How many more tokens a prompt has with the embeddings in it than with one place for each medium."""
    return sum(len(one.embeddings) - 1 for one in media)


def with_embeddings(tokens: Sequence[TokenId], media: Sequence[PlacedMedium]) -> Prompt:
    """Every place filled with its medium, in order."""
    assert tokens.count(PLACE_TOKEN) == len(media), "a medium has no place in the prompt, or a place no medium"
    laid_out: list[TokenId] = []
    spans: list[EmbedSpan] = []
    rest = iter(media)
    for token in tokens:
        if token != PLACE_TOKEN:
            laid_out.append(token)
            continue
        one = next(rest)
        rows, source = one.embeddings.rows, one.source
        spans.append(EmbedSpan(len(laid_out), rows, source.media_digest, source.module_digest, one.embeddings.grid))
        laid_out += [one.placeholder] * len(rows)
    return Prompt(tuple(laid_out), tuple(spans))
