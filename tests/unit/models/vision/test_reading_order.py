import random

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.models.vision.reading_order import GRID, TextLine, to_reading_order


def line(x: int, y: int, text: str, *, height: int = 20) -> TextLine:
    return TextLine(x, y, x - 1, y - height / 2, x + 1, y + height / 2, text)


def words(*lines: TextLine) -> list[str]:
    shuffled = list(lines)
    random.Random(1).shuffle(shuffled)
    return [one.text for one in to_reading_order(shuffled)]


def test_rows_go_down_and_words_go_right() -> None:
    assert words(line(100, 100, "a"), line(900, 104, "b"), line(500, 97, "c"), line(50, 140, "d")) == list("acbd")


def test_a_tall_word_does_not_join_the_two_rows_beside_it() -> None:
    clock = line(100, 100, "12:30", height=100)
    assert words(clock, line(500, 70, "Monday"), line(500, 130, "Sunny")) == ["Monday", "12:30", "Sunny"]


def test_a_slanting_row_does_not_run_into_the_next() -> None:
    stairs = [line(100 * k, 100 + 8 * k, str(k)) for k in range(8)]
    assert words(*stairs) == list("01234567")


def test_corners_become_thousandths_of_the_picture() -> None:
    found = TextLine.from_corners([[100, 200], [300, 200], [300, 240], [100, 240]], "x", width=1000, height=2000)
    assert (found.x, found.y, found.box) == (200, 110, (100, 100, 300, 120))


lines = st.builds(
    TextLine.from_corners,
    st.lists(st.tuples(st.integers(-50, 3000), st.integers(-50, 3000)), min_size=4, max_size=4),
    st.text(max_size=3),
    width=st.integers(1, 2500),
    height=st.integers(1, 2500),
)


@given(st.lists(lines, max_size=12), st.randoms(use_true_random=False))
def test_every_line_stays_once_and_inside_whatever_the_order(found: list[TextLine], shuffler: random.Random) -> None:
    ordered = to_reading_order(found)
    assert sorted(map(repr, ordered)) == sorted(map(repr, found))
    assert all(0 <= one.x < GRID and 0 <= one.y < GRID for one in ordered)
