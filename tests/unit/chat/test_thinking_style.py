"""How decoders of each kind are brought to think, kept from it, and asked for their answer at the budget."""

from typing import Any

import pytest
from tiny_vocabulary import CHATML, metadata

from autoglm_phone.chat.chat_request import ChatRequest, Thinking
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.core.conversation import Conversation, Message, TextPart
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import CONTROL, Tokenizer

OPEN = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
SWITCHED = CHATML + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"


def tokenizer(*special: str) -> Tokenizer:
    """The tiny vocabulary with further control tokens behind it."""
    fields: dict[str, Any] = metadata()
    fields["tokenizer.ggml.tokens"] = [*fields["tokenizer.ggml.tokens"], *special]
    fields["tokenizer.ggml.token_type"] = [*fields["tokenizer.ggml.token_type"], *[CONTROL] * len(special)]
    return Tokenizer(fields)


def opened(template: str, thinking: Thinking, *special: str, **fields: Any) -> str:
    """What stands behind the opened turn."""
    tokens = tokenizer(*special)
    builder = PromptBuilder(ChatTemplate(template, tokens), tokens, PromptConfig(900, 64, "error", ""))
    messages = (Message("user", (TextPart("hi"),)), *fields.pop("more", ()))
    built = builder.build(ChatRequest(Conversation(messages), SamplingParams(), thinking=thinking, **fields), {})
    return tokens.written(built.prompt.tokens).rpartition("assistant\n")[2]


ON, OFF, FREE = Thinking(is_on=True), Thinking(is_on=False), Thinking()
AUTOGLM = ("<think>", "</think>", "<answer>", "</answer>")


@pytest.mark.parametrize(
    ("template", "special", "thinking", "opening"),
    [
        (CHATML, (), ON, "<think>\nOkay, the user asks"),
        (CHATML, (), OFF, ""),
        (CHATML, (), FREE, ""),
        (CHATML, AUTOGLM, ON, "<think>\n"),
        (CHATML, AUTOGLM, OFF, "<think>\n</think>\n<answer>\n"),
        (CHATML, AUTOGLM, FREE, ""),
        (CHATML, ("<think>", "</think>"), OFF, "<think>\n</think>\n\n"),
        (SWITCHED, (), ON, "<think>\n"),
        (SWITCHED, (), OFF, "<think>\n\n</think>\n\n"),
        (SWITCHED, (), FREE, ""),
        (OPEN, (), ON, "<think>\n"),
        (OPEN, (), OFF, "<think>\n\n</think>\n\n"),
        (OPEN, (), FREE, "<think>\n"),
    ],
)
def test_each_kind_is_opened_in_its_own_way(
    template: str, special: tuple[str, ...], thinking: Thinking, opening: str
) -> None:
    assert opened(template, thinking, *special) == opening


def test_an_answer_with_a_form_or_a_beginning_is_not_thought_about_unless_asked() -> None:
    assert opened(SWITCHED, FREE, grammar="{}") == "<think>\n\n</think>\n\n"
    said = (Message("assistant", (TextPart("Once upon"),)),)
    assert opened(CHATML, FREE, more=said, continues_last=True) == "Once upon"
    assert opened(CHATML, FREE, *AUTOGLM, more=said, continues_last=True).endswith("<answer>\nOnce upon")
    assert opened(CHATML, ON, grammar="{}").startswith("<think>")


@pytest.mark.parametrize(
    ("thinking", "max_tokens", "budget"),
    [
        (Thinking(), 100, 50),
        (Thinking(share=0.75), 100, 75),
        (Thinking(budget=10), 100, 10),
        (Thinking(budget=1000), 100, 88),
        (Thinking(budget=1000), 1, 1),
        (Thinking(), 1, 1),
    ],
)
def test_some_of_the_answer_is_always_left(thinking: Thinking, max_tokens: int, budget: int) -> None:
    assert thinking.budget_of(max_tokens) == budget
