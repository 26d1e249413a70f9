import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoglm_phone.models.vision.seen_screens import FoundLine, SeenScreens, to_rows

HEIGHT, WIDTH = 600, 20
Pixels = NDArray[np.uint8]


def page(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """No row twice."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def line(first: int, words: str, height: int = 20, left: int = 0, right: int = WIDTH) -> FoundLine:
    last = first + height - 1
    return FoundLine(np.array([[left, first], [right, first], [right, last], [left, last]], np.float64), words)


LINES = [line(first, f"line {first}") for first in range(60, HEIGHT - 60, 60)]


def seen(pixels: Pixels, lines: list[FoundLine] = LINES) -> SeenScreens:
    screens = SeenScreens()
    screens.remember(to_rows(pixels), lines)
    return screens


def test_the_same_screen_is_known_and_another_is_not() -> None:
    screens = seen(page(1))
    same = screens.recall(to_rows(page(1)))
    assert (list(same.lines), same.unread) == (LINES, ())
    other = screens.recall(to_rows(page(2)))
    assert (other.lines, other.unread) == ((), ((0, HEIGHT),))


def test_a_line_is_read_anew_whole_when_a_pixel_of_it_changed() -> None:
    changed = page(1)
    changed[125, 3] ^= 1
    recalled = seen(page(1)).recall(to_rows(changed))
    assert [one.words for one in LINES if one not in recalled.lines] == ["line 120"]
    assert recalled.unread == ((120, 140),)


def test_a_line_is_read_anew_when_something_came_close_to_it() -> None:
    changed = page(1)
    changed[145] = 0
    recalled = seen(page(1)).recall(to_rows(changed))
    assert "line 120" not in [one.words for one in recalled.lines]
    assert recalled.unread == ((120, 140), (145, 146))


def test_what_was_scrolled_is_known_at_its_new_place() -> None:
    before, after = page(1), page(2)
    after[50:400] = before[150:500]
    after[:50] = before[:50]
    recalled = seen(before).recall(to_rows(after))
    found = {one.words: one.rows for one in recalled.lines}
    # line 180 stood at rows 180 to 199; the one at 480 lost what was below it
    assert found == {f"line {first}": (first - 100, first - 80) for first in range(180, 480, 60)}
    assert recalled.unread == ((380, HEIGHT),)


def test_one_text_seen_at_two_places_is_recalled_once() -> None:
    before = page(1)
    before[300:400] = before[100:200]
    twice = [line(140, "twice"), line(340, "twice")]
    after = page(3)
    after[100:200] = before[100:200]
    after[400:600] = before[200:400]
    after[200:300] = before[0:100]
    recalled = seen(before, twice).recall(to_rows(after))
    assert sorted(one.rows for one in recalled.lines) == [(140, 160), (540, 560)]


def test_screens_of_another_size_say_nothing() -> None:
    screens = seen(page(1))
    for other in (page(1)[:-1], page(1)[:, :-1], page(1, width=WIDTH + 1)):
        recalled = screens.recall(to_rows(other))
        assert (recalled.lines, recalled.unread) == ((), ((0, len(other)),))


def test_the_screen_that_leaves_least_to_read_is_taken() -> None:
    screens = seen(page(1))
    dialog = page(1)
    dialog[200:400] = 7
    screens.remember(to_rows(dialog), [line(300, "Cancel")])
    assert [one.words for one in screens.recall(to_rows(dialog)).lines] == ["Cancel"]
    assert list(screens.recall(to_rows(page(1))).lines) == LINES


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    screens = SeenScreens()
    for seed in range(9):
        screens.remember(to_rows(page(seed)), LINES)
    assert screens.recall(to_rows(page(0))).lines == ()
    assert all(screens.recall(to_rows(page(seed))).lines for seed in range(1, 9))
    tall = page(1, height=5000, width=8)
    screens.remember(to_rows(tall), LINES)
    assert screens.recall(to_rows(tall)).lines == ()


@given(st.data())
def test_words_are_recalled_only_where_every_pixel_around_them_is_the_same(data: st.DataObject) -> None:
    before, after = page(1), page(1)
    for _ in range(data.draw(st.integers(0, 3))):
        first = data.draw(st.integers(0, HEIGHT - 1))
        end = data.draw(st.integers(first + 1, HEIGHT))
        source = data.draw(st.integers(0, HEIGHT - (end - first)))
        is_new = data.draw(st.booleans())
        after[first:end] = page(2)[first:end] if is_new else before[source : source + end - first]
    tops = data.draw(st.lists(st.integers(0, HEIGHT - 40), max_size=6, unique=True))
    lines = [line(first, str(first), data.draw(st.integers(5, 40))) for first in tops]
    recalled = seen(before, lines).recall(to_rows(after))
    for one in recalled.lines:
        was = int(one.words)
        first, end = one.rows
        assert (after[first:end] == before[was : was + end - first]).all()
    is_unread = np.zeros(HEIGHT, np.bool_)
    for first, end in recalled.unread:
        assert not is_unread[first]
        is_unread[first:end] = True
    old_rows = {row.tobytes() for row in before}
    assert all(is_unread[place] or after[place].tobytes() in old_rows for place in range(HEIGHT))
