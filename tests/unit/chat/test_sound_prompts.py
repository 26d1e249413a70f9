"""Prompts with sounds as embeddings: where a template has a place for them, where it has none, and with a mark."""

import numpy as np
import pytest
from tiny_glm4 import CONTROL, TEMPLATE, vocabulary

from autoglm_phone.chat.chat_request import ChatRequest, Thinking
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder, PromptConfig
from autoglm_phone.chat.turns import Readings
from autoglm_phone.core.conversation import AudioPart, Conversation, ImagePart, Message, TextPart
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, Mark, MediaReading
from autoglm_phone.core.prompt import Grid
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer


def hearing_vocabulary() -> Tokenizer:
    """With GLM-ASR's control tokens in the place of others."""
    metadata = vocabulary()
    names = {"<|begin_of_image|>": "<|begin_of_audio|>", "<|end_of_image|>": "<|end_of_audio|>", "<|image|>": "<|pad|>"}
    metadata["tokenizer.ggml.tokens"] = [names.get(name, name) for name in metadata["tokenizer.ggml.tokens"]]
    return Tokenizer(metadata)


TOKENIZER, HEARING = Tokenizer(vocabulary()), hearing_vocabulary()
# As GLM-ASR's own: a part of type audio in the place of GLM-4.1V's of type image.
HEARING_TEMPLATE = (
    TEMPLATE.replace("image' or 'image' in item", "audio'")
    .replace("<|begin_of_image|><|image|><|end_of_image|>", "<|begin_of_audio|><|pad|><|end_of_audio|>")
)  # fmt: skip

VOICE, SCREEN = AudioPart(b"voice", "a"), ImagePart(b"screen", "b")


def build(tokenizer: Tokenizer, template: str, mark: Mark | None = None) -> BuiltPrompt:
    """One message: text, a sound of three embeddings, text."""
    made = Embeddings(np.ones((3, 4), np.float32), mark=mark)
    readings: Readings = {VOICE: MediaReading("speech", made, Digest("voice"), Digest("module"), False, 0.1)}
    messages = (Message("user", (TextPart("Hear <|pad|>: "), VOICE, TextPart("?"))),)
    builder = PromptBuilder(ChatTemplate(template, tokenizer), tokenizer, PromptConfig(512, 16, "error", "S"))
    request = ChatRequest(Conversation(messages), SamplingParams(), thinking=Thinking(is_on=False))
    return builder.build(request, readings)


@pytest.mark.parametrize(
    ("tokenizer", "template", "mark", "around", "shown"),
    [
        (TOKENIZER, TEMPLATE, None, ("", ""), CONTROL[0]),
        (HEARING, HEARING_TEMPLATE, None, ("<|begin_of_audio|>", "<|end_of_audio|>"), "<|pad|>"),
        (HEARING, HEARING_TEMPLATE, Mark("[", "<|end_of_audio|>"), ("[", "<|end_of_audio|>"), CONTROL[0]),
        (TOKENIZER, TEMPLATE, Mark("\n<|begin_of_image|>", ""), ("\n<|begin_of_image|>", ""), CONTROL[0]),
    ],
)
def test_a_sound_stands_between_what_its_module_or_the_template_says(
    tokenizer: Tokenizer, template: str, mark: Mark | None, around: tuple[str, str], shown: str
) -> None:
    built = build(tokenizer, template, mark)
    [span] = built.prompt.embeds
    before, behind = built.prompt.tokens[: span.start], built.prompt.tokens[span.start + 3 :]
    assert tokenizer.written(before).endswith(f"<|user|>\nHear <|pad|>: {around[0]}")
    assert tokenizer.written(behind).startswith(f"{around[1]}?<|assistant|>")
    assert built.prompt.tokens[span.start : span.start + 3] == (tokenizer.special_tokens[shown],) * 3
    assert (span.grid, built.audio_tokens, built.image_tokens) == (None, 3, 0)
    pad = tokenizer.special_tokens.get("<|pad|>")
    assert pad is None or pad not in before  # what a user writes is text


def test_a_picture_and_a_sound_keep_their_order() -> None:
    readings: Readings = {
        VOICE: MediaReading(
            "speech", Embeddings(np.full((2, 4), 2, np.float32)), Digest("v"), Digest("ears"), False, 0.1
        ),
        SCREEN: MediaReading(
            "vision", Embeddings(np.full((6, 4), 1, np.float32), Grid(3, 2)), Digest("s"), Digest("eyes"), False, 0.1
        ),
    }
    messages = (Message("user", (VOICE, SCREEN, TextPart("?"), VOICE)),)
    builder = PromptBuilder(ChatTemplate(TEMPLATE, TOKENIZER), TOKENIZER, PromptConfig(512, 16, "error", "S"))
    request = ChatRequest(Conversation(messages), SamplingParams(), thinking=Thinking(is_on=False))
    built = builder.build(request, readings)
    assert [span.embeddings[0, 0] for span in built.prompt.embeds] == [2, 1, 2]
    assert [span.module_digest for span in built.prompt.embeds] == ["ears", "eyes", "ears"]
    assert [span.grid for span in built.prompt.embeds] == [None, Grid(3, 2), None]
    assert (built.audio_tokens, built.image_tokens) == (4, 6)


def test_a_mark_names_control_tokens_of_the_decoder() -> None:
    template = ChatTemplate(TEMPLATE, TOKENIZER)
    assert template.own_mark(Mark("a < b |> c", "")).mark.before == "a < b |> c"
    with pytest.raises(SetupError, match=r"no control token <\|begin_of_audio\|>"):
        template.own_mark(Mark("<|begin_of_audio|>", "<|end_of_image|>"))
