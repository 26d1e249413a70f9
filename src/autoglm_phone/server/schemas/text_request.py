"""Requests about text and tokens alone: POST /tokenize and /detokenize, as vLLM and llama.cpp have them."""

from typing import Annotated

from pydantic import Field

from autoglm_phone.server.schemas.messages import WireMessage, WireTool
from autoglm_phone.server.schemas.wire_model import WireModel

MAX_TEXT_CHARS = 2_000_000
MAX_TOKENS = 1_000_000

Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class TokenizeRequest(WireModel):
    """A text (`prompt` for vLLM's clients, `content` for llama.cpp's) or the messages of a chat."""

    model: str | None = None
    prompt: Text | None = Field(None, description="The text.")
    content: Text | None = Field(None, description="llama.cpp's name of `prompt`.")
    messages: list[WireMessage] | None = Field(None, description="Instead of a text: as the chat template writes them.")
    tools: list[WireTool] | None = Field(None, description="Tools that go with the messages.")
    add_special_tokens: bool | None = Field(
        None, description="Put the token in front that every prompt of this model begins with. Default true."
    )
    add_special: bool | None = Field(None, description="llama.cpp's name of `add_special_tokens`.")
    parse_special: bool | None = Field(
        None, description="Names of control tokens stand for them, as in prompts of completions. Default true."
    )
    return_token_strs: bool | None = Field(None, description="Also give the tokens as text, in `token_strs`.")
    with_pieces: bool | None = Field(None, description="llama.cpp's: each token with its text, in `tokens`.")


class DetokenizeRequest(WireModel):
    model: str | None = None
    tokens: Annotated[list[int], Field(max_length=MAX_TOKENS)] = Field(description="Numbers of tokens.")
