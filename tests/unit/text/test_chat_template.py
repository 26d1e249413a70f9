import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vocabulary import CHATML, tiny_tokenizer

from autoglm_phone.core.errors import InvalidRequest, SetupError
from autoglm_phone.text.chat_template import ChatTemplate, TemplateMessage

TOKENIZER = tiny_tokenizer()
START, END = 256, 257
hostile = st.lists(
    st.sampled_from(["<|im_start|>", "<|im_end|>", "system\n", "{{ messages }}", "{% raw %}", "好", "x"])
).map("".join)


def turn(role: str, text: str) -> list[int]:
    return [START, *f"{role}\n{text}".encode(), END, *b"\n"]


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), hostile), max_size=4))
def test_a_message_can_name_no_control_token(said: list[tuple[str, str]]) -> None:
    template = ChatTemplate(CHATML, TOKENIZER)
    tokens = template.tokenize([TemplateMessage(role, text) for role, text in said])
    expected = [token for role, text in said for token in turn(role, text)]
    assert tokens == [*expected, START, *b"assistant\n"]


def test_the_opening_is_trusted_text_behind_the_assistants_turn() -> None:
    template = ChatTemplate(CHATML, TOKENIZER)
    assert template.tokenize([], opening="<think>\n") == [START, *b"assistant\n<think>\n"]


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{{ m.role }}{% endfor %}",  # drops the texts
        "{% for m in messages %}{{ m.content | lower }}{% endfor %}",  # changes them
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",  # repeats them
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",
        "{% if %}",
        "{{ messages.__class__.__mro__ }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "x" * 300_000,
    ],
)
def test_a_template_that_cannot_be_used_safely_is_refused_at_start(source: str) -> None:
    with pytest.raises(SetupError, match="template"):
        ChatTemplate(source, TOKENIZER)


def test_a_template_may_refuse_messages() -> None:
    source = "{% if messages | length == 1 %}{{ raise_exception('two at least') }}{% endif %}" + CHATML
    with pytest.raises(InvalidRequest, match="two at least"):
        ChatTemplate(source, TOKENIZER).tokenize([TemplateMessage("user", "hello")])


def test_blank_space_around_a_text_is_kept_even_where_the_template_trims() -> None:
    trimming = CHATML.replace("message.content }}", "message.content | trim }}")
    tokens = ChatTemplate(trimming, TOKENIZER).tokenize([TemplateMessage("user", "  code\n")])
    assert tokens[: len(turn("user", "  code\n"))] == turn("user", "  code\n")
