import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.server.ignored import ignored_header


def test_no_header_without_names() -> None:
    assert ignored_header([]) == {}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("colour", "colour"), ("", "?"), (" ", "?"), ("a b,c", "a?b?c"), ("\r\nx: y", "??x:?y"), ("名", "\\u540d")],
)
def test_a_name_is_one_printable_word(name: str, shown: str) -> None:
    assert ignored_header([name]) == {"x-autoglm-ignored": shown}


@given(st.lists(st.text(), min_size=1))
def test_any_names_make_a_header_that_can_be_sent(names: list[str]) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in ignored_header(names).items()]
    h11.Response(status_code=200, headers=headers)
    ((_, value),) = headers
    assert value == value.strip()
