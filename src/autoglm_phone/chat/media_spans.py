"""Embeddings put into a prompt: each stands for a token that the template wrote, and takes as many places as it has."""

from collections.abc import Sequence

from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.module import Embeddings, MediaReading
from autoglm_phone.core.prompt import EmbedSpan, Prompt


def num_more_tokens(media: Sequence[MediaReading]) -> int:
    """How many more tokens a prompt has with the embeddings in it than with one placeholder for each medium."""
    return sum(len(_embeddings(one)) - 1 for one in media)


def with_embeddings(tokens: Sequence[TokenId], placeholder: TokenId, media: Sequence[MediaReading]) -> Prompt:
    """Every placeholder repeated as often as its medium, in order, has embeddings; no text can make one."""
    assert tokens.count(placeholder) == len(media), "a medium has no place in the prompt, or a place no medium"
    laid_out: list[TokenId] = []
    spans: list[EmbedSpan] = []
    rest = iter(media)
    for token in tokens:
        if token != placeholder:
            laid_out.append(token)
            continue
        one = next(rest)
        embeddings = _embeddings(one)
        spans.append(EmbedSpan(len(laid_out), embeddings.rows, one.media_digest, one.module_digest, embeddings.grid))
        laid_out += [placeholder] * len(embeddings)
    return Prompt(tuple(laid_out), tuple(spans))


def _embeddings(one: MediaReading) -> Embeddings:
    assert isinstance(one.reading, Embeddings)
    return one.reading
