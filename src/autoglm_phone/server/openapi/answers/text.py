"""What /tokenize, /detokenize and /apply-template answer."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class TokenPiece(TypedDict):
    id: int
    piece: str


class Tokens(TypedDict):
    count: int
    max_model_len: Annotated[int, Field(description="The window, in tokens.")]
    tokens: Annotated[
        list[int] | list[TokenPiece], Field(description="With their text if `with_pieces` was asked for.")
    ]
    token_strs: NotRequired[Annotated[list[str], Field(description="If `return_token_strs` was asked for.")]]


class TextOfTokens(TypedDict):
    prompt: str
    content: Annotated[str, Field(description="The same, under llama.cpp's name.")]


class RenderedPrompt(TypedDict):
    prompt: str
