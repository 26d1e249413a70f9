"""What drafts agree on."""

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.chat.live.agreed_text import AgreedText


def pushed(*heard: str) -> list[str]:
    agreed = AgreedText()
    return [agreed.push(one) for one in heard]


def test_what_two_drafts_begin_with_is_certain() -> None:
    assert pushed("Open the", "Open the sett", "Open the settings now", "Open the settings now") == [
        "",
        "Open the",
        "",
        " settings now",
    ]


def test_a_full_stop_that_goes_away_was_never_certain() -> None:
    assert pushed("Open.", "Open the door.", "Open the door. Now") == ["", "Open", " the door."]


def test_chinese_characters_stand_for_themselves() -> None:
    assert pushed("打开", "打开设置", "打开设置和", "打开设计和") == ["", "打开", "设置", ""]


def test_what_was_given_out_is_never_taken_back() -> None:
    agreed = AgreedText()
    agreed.push("Open the door")
    assert agreed.push("Open the door") == "Open the door"
    assert agreed.push("Close it") == ""
    assert agreed.push("Close it now") == ""
    assert agreed.num_agreed == len("Close it")
    assert agreed.finish("Close it now") == ""
    assert agreed.text == "Open the door"


def test_the_end_brings_the_rest() -> None:
    agreed = AgreedText()
    agreed.push("Open the")
    agreed.push("Open the d")
    assert agreed.finish("Open the door.") == " door."


@given(st.lists(st.text("ab 设置.", max_size=12), max_size=8), st.text("ab 设置.", max_size=12))
def test_the_pieces_are_the_text(drafts: list[str], last: str) -> None:
    agreed = AgreedText()
    said = "".join([agreed.push(draft) for draft in drafts] + [agreed.finish(last)])
    assert said == agreed.text
