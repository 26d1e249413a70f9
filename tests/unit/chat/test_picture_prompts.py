"""Prompts with pictures as embeddings, in GLM-4.1V's own form."""

import numpy as np
import pytest
from tiny_glm4 import TEMPLATE, vocabulary

from autoglm_phone.chat.chat_request import ChatRequest, Thinking, Truncation
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder, PromptConfig
from autoglm_phone.chat.turns import Readings
from autoglm_phone.core.conversation import AudioPart, Conversation, ImagePart, Message, Part, Role, TextPart
from autoglm_phone.core.errors import ContextLengthExceeded, SetupError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, MediaReading, Reading
from autoglm_phone.core.prompt import Grid
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer(vocabulary())
SCREEN, OTHER = ImagePart(b"screen", "messages[0].content[0]"), ImagePart(b"other", "messages[0].content[1]")
VOICE = AudioPart(b"voice", "messages[0].content[2]")
READINGS: Readings = {
    part: MediaReading("vision", made, Digest(part.data.hex()), Digest("module"), False, 0.1)
    for part, made in (
        (SCREEN, Embeddings(np.full((6, 4), 1, np.float32), Grid(3, 2))),
        (OTHER, Embeddings(np.full((2, 4), 2, np.float32), Grid(1, 2))),
        (VOICE, Reading("hello", "1 s")),
    )
}
PICTURE = "<|begin_of_image|>" + "<|image|>" * 6 + "<|end_of_image|>"
SMALL = "<|begin_of_image|>" + "<|image|>" * 2 + "<|end_of_image|>"


Said = tuple[Role, tuple[Part | str, ...]]


def build(*said: Said, window: int = 2048, truncation: Truncation = "error") -> BuiltPrompt:
    messages = tuple(
        Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))
        for role, parts in said
    )
    builder = PromptBuilder(ChatTemplate(TEMPLATE, TOKENIZER), TOKENIZER, PromptConfig(window, 16, truncation, "S"))
    request = ChatRequest(Conversation(messages), SamplingParams(), thinking=Thinking(is_on=False))
    return builder.build(request, READINGS)


def written(built: BuiltPrompt) -> str:
    """The prompt up to the thought that is closed at once."""
    return TOKENIZER.written(built.prompt.tokens).partition("<think>")[0]


def test_a_picture_stands_where_the_template_puts_it() -> None:
    built = build(("user", (SCREEN, "Tap <|image|> it")))
    assert written(built).startswith(f"[gMASK]<sop><|system|>\nS<|user|>\n{PICTURE}Tap <|image|> it<|assistant|>\n")
    [span] = built.prompt.embeds
    assert built.prompt.tokens[span.start - 1] == TOKENIZER.special_tokens["<|begin_of_image|>"]
    assert built.prompt.tokens[span.start + 6] == TOKENIZER.special_tokens["<|end_of_image|>"]
    assert set(built.prompt.tokens[span.start : span.start + 6]) == {TOKENIZER.special_tokens["<|image|>"]}
    assert built.prompt.tokens.count(TOKENIZER.special_tokens["<|image|>"]) == 6  # what a user writes is text
    assert (span.media_digest, span.module_digest, span.grid) == (SCREEN.data.hex(), "module", Grid(3, 2))
    assert built.image_tokens == 6


def test_pictures_keep_the_order_in_which_they_were_sent() -> None:
    built = build(("user", ("One: ", SCREEN, " two: ", OTHER, VOICE)), ("assistant", ("ok",)), ("user", (OTHER, "?")))
    text = written(built)
    assert f"<|user|>\nOne: {PICTURE} two: {SMALL}[Sound 1: 1 s. It says:]\nhello" in text
    assert text.endswith(f"<|user|>\n{SMALL}?<|assistant|>\n")
    assert [span.embeddings[0, 0] for span in built.prompt.embeds] == [1, 2, 2]
    assert built.image_tokens == 10


def test_the_same_prompt_goes_on_behind_a_thought() -> None:
    messages = (Message("user", (SCREEN, TextPart("?"))),)
    builder = PromptBuilder(ChatTemplate(TEMPLATE, TOKENIZER), TOKENIZER, PromptConfig(2048, 64, "error", "S"))
    request = ChatRequest(Conversation(messages), SamplingParams(), thinking=Thinking(is_on=True))
    built = builder.build(request, READINGS)
    behind, _ = builder.close_thought(built, "so", 2)
    assert behind.embeds == built.prompt.embeds
    assert behind.tokens[: len(built.prompt)] == built.prompt.tokens


def test_the_window_counts_every_token_of_a_picture() -> None:
    length = len(build(("user", (SCREEN, "?"))).prompt)
    assert len(build(("user", (SCREEN, "?")), window=length + 16).prompt) == length
    with pytest.raises(ContextLengthExceeded, match=f"the prompt has {length} tokens"):
        build(("user", (SCREEN, "?")), window=length + 15)


def test_turns_go_with_their_pictures() -> None:
    said: tuple[Said, ...] = (
        ("user", (SCREEN, "first")),
        ("assistant", ("ok",)),
        ("user", (OTHER, "second")),
    )
    whole = build(*said)
    cut = build(*said, window=len(whole.prompt) + 2, truncation="auto")
    assert [span.embeddings[0, 0] for span in cut.prompt.embeds] == [2]
    assert (cut.dropped_messages, cut.image_tokens) == (2, 2)
    assert SMALL in written(cut)
    assert "first" not in written(cut)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}",  # would write a list as it is
        "{% for m in messages %}<|user|>{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}",  # leaves pictures out
    ],
)
def test_a_template_without_a_place_for_pictures_says_so(template: str) -> None:
    with pytest.raises(SetupError, match="type image"):
        _ = ChatTemplate(template, TOKENIZER).picture_mark
