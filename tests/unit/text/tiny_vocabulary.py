"""A byte-level vocabulary without merges, and a ChatML template: enough to tokenise anything exactly."""

from typing import Any

from autoglm_phone.text.chat_template import TemplateMessage
from autoglm_phone.text.piece import Piece
from autoglm_phone.text.tokenizer import CONTROL, NORMAL, Tokenizer

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def metadata() -> dict[str, Any]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {byte: chr(byte) for byte in printable} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    special = ["<|im_start|>", "<|im_end|>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [*(alphabet[byte] for byte in range(256)), *special],
        "tokenizer.ggml.token_type": [NORMAL] * 256 + [CONTROL] * len(special),
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.eos_token_id": 257,
    }


def tiny_tokenizer(*, bos: int | None = None, adds_bos: bool = False) -> Tokenizer:
    """Token n < 256 is byte n; 256 and 257 are <|im_start|> and <|im_end|>."""
    return Tokenizer(metadata() | {"tokenizer.ggml.bos_token_id": bos, "tokenizer.ggml.add_bos_token": adds_bos})


def plain_message(role: str, text: str) -> TemplateMessage:
    return TemplateMessage(role, (Piece(text),))
