import pytest

from autoglm_phone.core.errors import InvalidRequest, Overloaded
from autoglm_phone.server.responses.places import in_words_of

PLACES = {
    "messages": "input",
    "messages[0]": "previous_response_id",
    "messages[1]": "input[4]",
    "messages[1].tool_calls[0].function": "input[5]",
    "max_completion_tokens": "max_output_tokens",
    "response_format.json_schema": "text.format",
}


@pytest.mark.parametrize(
    ("param", "moved"),
    [
        ("messages", "input"),
        ("messages[0].content[3]", "previous_response_id"),
        ("messages[1].content[3].text", "input[4].content[3].text"),
        ("messages[1].tool_calls[0].function.name", "input[5].name"),
        ("messages[12]", "input[12]"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("top_k", "top_k"),
    ],
)
def test_an_error_names_the_field_of_the_client(param: str, moved: str) -> None:
    with pytest.raises(InvalidRequest) as error, in_words_of(PLACES):
        raise InvalidRequest(f"`{param}`: it is wrong", param=param)
    assert error.value.param == moved
    assert str(error.value) == error.value.message


def test_names_in_messages_are_those_of_the_client() -> None:
    with pytest.raises(InvalidRequest) as error, in_words_of(PLACES):
        raise InvalidRequest("messages[1].content[3]: lower `max_completion_tokens`", param="messages[1].content[3]")
    assert str(error.value) == "input[4].content[3]: lower `max_output_tokens`"
    with pytest.raises(InvalidRequest) as error, in_words_of(PLACES):
        raise InvalidRequest("too long: drop messages", param="messages")
    assert str(error.value) == "too long: drop messages"


def test_errors_without_a_field_keep_what_else_they_have() -> None:
    with pytest.raises(Overloaded) as error, in_words_of(PLACES):
        raise Overloaded("the queue is full", retry_after_s=3)
    assert (str(error.value), error.value.retry_after_s) == ("the queue is full", 3)
