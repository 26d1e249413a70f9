import base64
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable
from autoglm_phone.media.data_uri import decode_base64, decode_data_uri

MAX = 1000


@given(data=st.binary(max_size=MAX))
def test_every_spelling_of_base64_gives_the_bytes_back(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    for spelling in (
        text,
        text.rstrip("="),
        base64.urlsafe_b64encode(data).decode(),
        base64.encodebytes(data).decode(),
    ):
        assert decode_base64(spelling, max_bytes=MAX, param="p") == data
    for uri in (
        f"data:image/png;base64,{text}",
        f"data:;base64,{text}",
        f"DATA:image/png;charset=x;BASE64,{urllib.parse.quote(text, safe='')}",
        f"data:image/png,{urllib.parse.quote_from_bytes(data, safe='')}",
    ):
        assert decode_data_uri(uri, max_bytes=MAX, param="p") == data


@pytest.mark.parametrize("size", [MAX + 1, MAX + 2, MAX + 100, 50 * MAX])
def test_more_than_the_limit_is_refused(size: int) -> None:
    data = bytes(size)
    text = base64.b64encode(data).decode()
    for uri in (f"data:image/png;base64,{text}", f"data:,{urllib.parse.quote_from_bytes(data)}"):
        with pytest.raises(MediaTooLarge, match=r"part 1: .*limit is 1000") as error:
            decode_data_uri(uri, max_bytes=MAX, param="part 1")
        assert error.value.param == "part 1"


@pytest.mark.parametrize(
    "uri", ["data:", "data:image/png;base64", "data:;base64,a", "data:;base64,@@@@", "data:;base64,日"]
)
def test_a_broken_uri_is_undecodable(uri: str) -> None:
    with pytest.raises(MediaUndecodable, match=r"^part 1: ") as error:
        decode_data_uri(uri, max_bytes=MAX, param="part 1")
    assert error.value.param == "part 1"
