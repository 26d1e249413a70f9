import pytest

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.responses.item_page import item_page

ITEMS = [{"id": f"msg_{number}"} for number in range(25)]


def ids(query: dict[str, str]) -> list[str]:
    return [item["id"] for item in item_page(ITEMS, query)["data"]]


def test_the_newest_come_first_unless_asked_otherwise() -> None:
    page = item_page(ITEMS, {})
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("msg_24", "msg_5", True)
    assert ids({"order": "asc", "limit": "2"}) == ["msg_0", "msg_1"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other(order: str) -> None:
    seen: list[str] = []
    query = {"order": order, "limit": "7"}
    while True:
        page = item_page(ITEMS, query)
        seen += [item["id"] for item in page["data"]]
        if not page["has_more"]:
            break
        query["after"] = page["last_id"]
    assert sorted(seen) == sorted(item["id"] for item in ITEMS)


def test_behind_the_last_there_is_nothing() -> None:
    page = item_page(ITEMS, {"order": "asc", "after": "msg_24"})
    assert (page["data"], page["first_id"], page["has_more"]) == ([], None, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("order", "up"), ("limit", "0"), ("limit", "101"), ("limit", "x"), ("limit", "²"), ("after", "msg_99")],
)
def test_what_is_no_page(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        item_page(ITEMS, {name: value})
    assert error.value.param == name
