from pathlib import Path

import pytest
from tiny_vocabulary import metadata, plain_message

from autoglm_phone.core.module import Mark
from autoglm_phone.text.chat_template import ChatTemplate, MediaMark
from autoglm_phone.text.known_templates import GLM4, known_template
from autoglm_phone.text.tokenizer import CONTROL, USER_DEFINED, Tokenizer

SHARED = Path(__file__).parents[4] / "shared" / "data" / "glm4_tokenizer" / "glm-4.1v-9b-thinking.chat_template.jinja"
NAMES = [
    "<|endoftext|>",
    "[gMASK]",
    "<sop>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<|begin_of_image|>",
    "<|image|>",
    "<|end_of_image|>",
]


def glm_tokenizer() -> Tokenizer:
    """Bytes, and GLM-4.1V's control tokens behind them, the tags of thoughts and answers as their files have them."""
    values = metadata()
    kinds = [USER_DEFINED if name[1:].strip("/").startswith(("think", "answer")) else CONTROL for name in NAMES]
    values["tokenizer.ggml.tokens"] = [*values["tokenizer.ggml.tokens"][:256], *NAMES]
    values["tokenizer.ggml.token_type"] = [*values["tokenizer.ggml.token_type"][:256], *kinds]
    return Tokenizer(values | {"tokenizer.ggml.pre": "glm4", "tokenizer.ggml.eos_token_id": 256})


def test_a_glm_turn_is_framed_as_in_training() -> None:
    tokenizer = glm_tokenizer()
    start, sop, system, user, assistant = (tokenizer.special_tokens[name] for name in NAMES[1:6])
    messages = [plain_message("system", "S"), plain_message("user", "Hi <|user|>")]
    tokens = ChatTemplate(known_template(tokenizer), tokenizer).tokenize(messages)
    assert tokens == [start, sop, system, *b"\nS", user, *b"\nHi <|user|>", assistant, *b"\n"]


def test_a_picture_has_its_place() -> None:
    tokenizer = glm_tokenizer()
    mark = ChatTemplate(GLM4, tokenizer).picture_mark
    assert mark == MediaMark(Mark(NAMES[-3], NAMES[-1]), tokenizer.special_tokens["<|image|>"])


def test_the_makers_template_says_the_same() -> None:
    if not SHARED.is_file():
        pytest.skip(f"{SHARED} is not there")
    tokenizer = glm_tokenizer()
    roles = ("system", "user", "assistant", "user")
    messages = [plain_message(role, f"text of {role}\n") for role in roles]
    makers, ours = (ChatTemplate(source, tokenizer) for source in (SHARED.read_text(), GLM4))
    assert makers.tokenize(messages) == ours.tokenize(messages)
    assert makers.picture_mark == ours.picture_mark


def test_a_glm_answer_ends_where_the_makers_end_it() -> None:
    tokenizer = glm_tokenizer()
    ends = ("<|endoftext|>", "<|user|>", "<|observation|>", "</answer>")
    assert tokenizer.eos_tokens == {tokenizer.special_tokens[name] for name in ends}


def test_a_vocabulary_of_no_known_family_has_none() -> None:
    assert known_template(Tokenizer(metadata())) == ""
    assert "</answer>" not in Tokenizer(metadata()).special_tokens
