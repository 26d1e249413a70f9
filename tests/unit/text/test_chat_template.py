import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vocabulary import CHATML, plain_message, tiny_tokenizer

from autoglm_phone.core.errors import InvalidRequest, SetupError
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.piece import Piece

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
    tokens = template.tokenize([plain_message(role, text) for role, text in said])
    expected = [token for role, text in said for token in turn(role, text)]
    assert tokens == [*expected, START, *b"assistant\n"]


def test_the_opening_is_trusted_text_behind_the_assistants_turn() -> None:
    template = ChatTemplate(CHATML, TOKENIZER)
    assert template.tokenize([], opening=[Piece("<think>\n", is_trusted=True)]) == [START, *b"assistant\n<think>\n"]


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{{ m.role }}{% endfor %}",  # drops the texts
        "{% for m in messages %}{{ m.content | lower }}{% endfor %}",  # changes them
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",  # repeats them
        "{% for m in messages | reverse %}{{ m.content }}{% endfor %}",
        "{% if %}",
        "{{ messages.__class__.__mro__ }}",
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        "{% for m in messages %}{{ m.content | tojson }}{% endfor %}",
        "{% for m in messages %}{{ m.content[:90] }}{% endfor %}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ messages.append(1) }}",
        "x" * 300_000,
    ],
)
def test_a_template_that_cannot_be_used_safely_is_refused_at_start(source: str) -> None:
    with pytest.raises(SetupError, match="template"):
        ChatTemplate(source, TOKENIZER)


def test_a_template_may_refuse_messages() -> None:
    source = "{% if messages | length == 1 %}{{ raise_exception('two at least') }}{% endif %}" + CHATML
    with pytest.raises(InvalidRequest, match="two at least"):
        ChatTemplate(source, TOKENIZER).tokenize([plain_message("user", "hello")])


def test_blank_space_around_a_text_is_kept_even_where_the_template_trims() -> None:
    trimming = CHATML.replace("message.content }}", "message.content | trim }}")
    tokens = ChatTemplate(trimming, TOKENIZER).tokenize([plain_message("user", "  code\n")])
    assert tokens[: len(turn("user", "  code\n"))] == turn("user", "  code\n")


def test_a_message_that_the_template_leaves_out_is_an_error() -> None:
    source = CHATML.replace("{% for message in messages %}", "{% for message in messages if message.role != 'tool' %}")
    with pytest.raises(InvalidRequest, match="no place here for a message of role 'tool'"):
        ChatTemplate(source, TOKENIZER).tokenize([plain_message("user", "hi"), plain_message("tool", "21")])


def test_what_templates_expect_of_their_surroundings_is_there() -> None:
    source = (
        "{{ bos_token }}{{ eos_token }}{{ {'a': '<é>'} | tojson }}{{ 2 * 3 }}"
        "{% for message in messages %}{{ message.content }}{% if loop.index > 9 %}{% break %}{% endif %}{% endfor %}"
    )
    tokens = ChatTemplate(source, tiny_tokenizer(bos=START)).tokenize([plain_message("user", "hi")])
    assert tokens == [START, END, *'{"a": "<é>"}6hi'.encode()]


def test_a_prompt_begins_with_the_token_that_the_model_wants_once() -> None:
    tokenizer = tiny_tokenizer(bos=END, adds_bos=True)
    messages = [plain_message("user", "hi")]
    without = ChatTemplate(CHATML, tokenizer).tokenize(messages)
    assert without[:2] == [END, START]
    assert ChatTemplate("{{ bos_token }}" + CHATML, tokenizer).tokenize(messages) == without


def test_many_messages_are_kept_apart() -> None:
    messages = [plain_message("user", str(n)) for n in range(300)]
    expected = [token for n in range(300) for token in turn("user", str(n))]
    assert ChatTemplate(CHATML, TOKENIZER).tokenize(messages) == [*expected, START, *b"assistant\n"]
