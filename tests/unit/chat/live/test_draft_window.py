"""Where the next draft begins to hear."""

from autoglm_phone.chat.live.draft_window import DraftWindow
from autoglm_phone.core.live import LIVE_RATE
from autoglm_phone.core.transcript import Heard, Segment, Word


def heard(*words: tuple[str, float, float], space: str = " ") -> tuple[Heard, ...]:
    """Each with its times."""
    text = "".join(space + word for word, _, _ in words)
    parts = tuple(Word(word, start_s, end_s, 1.0) for word, start_s, end_s in words)
    return (Heard("en" if space else "zh", (Segment(text, 0.0, 1.0, (), 0.0, 0.0, 0.0, 0.0, 1.0, parts),)),)


SENTENCE = heard(("Go", 0.2, 0.5), ("home.", 0.6, 1.0), ("Stay", 1.8, 2.2), ("there", 2.3, 3.0), ("now", 6.0, 7.0))


def at(seconds: float) -> int:
    return round(seconds * LIVE_RATE)


def test_a_short_window_stays() -> None:
    window = DraftWindow(at(1))
    assert not window.wants_times(at(5))
    window.move(SENTENCE, at(5), num_agreed=100)
    assert (window.start, window.before) == (at(1), "")


def test_a_long_one_is_cut_where_it_is_quietest_between_words_that_are_agreed_on() -> None:
    window = DraftWindow(at(1))
    assert window.wants_times(at(8.5))
    window.move(SENTENCE, at(8.5), num_agreed=len("Go home. Stay"))
    assert (window.start, window.before, window.language) == (at(1 + 1.4), "Go home.", "en")
    assert window.text(heard(("Stay", 0.4, 0.8))) == "Go home. Stay"


def test_where_nothing_is_agreed_on_it_waits_but_not_for_ever() -> None:
    window = DraftWindow(0)
    window.move(SENTENCE, at(8), num_agreed=0)
    assert window.start == 0
    window.move(SENTENCE, at(13), num_agreed=0)
    assert window.before == "Go home. Stay there"


def test_behind_a_pause_it_begins_with_what_was_heard_with_care() -> None:
    window = DraftWindow(0)
    window.settle(heard(("Go.", 0.2, 0.5)), at(1.5))
    assert window.start == 0
    window.settle((), at(3))
    assert window.start == 0
    window.settle(heard(("Go", 0.2, 0.5), ("home.", 0.6, 1.0)), at(3))
    assert (window.start, window.before, window.language) == (at(3), "Go home", "en")
    assert window.text(heard(("now.", 0.4, 0.8))) == "Go home now."


def test_silence_is_left_behind() -> None:
    window = DraftWindow(0)
    window.move((), at(10), num_agreed=0)
    assert (window.start, window.before) == (at(4), "")


def test_chinese_has_no_spaces_and_words_that_are_not_in_the_text_cut_nothing() -> None:
    words = heard(("你", 0.0, 0.2), ("好", 0.2, 0.4), ("吗", 6.0, 6.4), space="")
    window = DraftWindow(0)
    window.move(words, at(7), num_agreed=2)
    assert window.before == "你好"
    assert window.text(heard(("吗", 0.1, 0.3), space="")) == "你好吗"
    odd = DraftWindow(0)
    odd.move(
        (Heard("en", (Segment("a b", 0, 1, (), 0, 0, 0, 0, 1, (Word("x", 0, 1, 1), Word("b", 1, 2, 1))),)),),
        at(7),
        num_agreed=3,
    )
    assert (odd.start, odd.before) == (0, "")
