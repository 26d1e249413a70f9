from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.models.vision.seen_screens import Span
from autoglm_phone.models.vision.strips import Strip, to_strips


def test_a_strip_shows_the_detector_what_stands_around() -> None:
    assert to_strips([(1000, 1060)], 2400, grid=60) == [Strip((910, 1150), (1000, 1060))]


def test_at_the_edge_it_shows_more_of_the_other_side() -> None:
    assert to_strips([(0, 60)], 2400, grid=60) == [Strip((0, 240), (0, 60))]
    assert to_strips([(2390, 2400)], 2400, grid=60) == [Strip((2160, 2400), (2390, 2400))]


def test_strips_that_would_overlap_are_one() -> None:
    assert to_strips([(600, 610), (700, 710)], 2400, grid=60) == [Strip((535, 775), (600, 710))]


def test_nothing_unread_is_no_strip() -> None:
    assert to_strips([], 2400, grid=60) == []


def test_a_screen_that_is_mostly_new_is_read_whole() -> None:
    assert to_strips([(0, 1000), (1400, 2400)], 2400, grid=60) == [Strip((0, 2400), (0, 2400))]


@given(st.integers(1, 3000), st.lists(st.integers(0, 3000), max_size=12), st.floats(1, 400))
def test_every_unread_row_is_in_one_strip(height: int, edges: list[int], grid: float) -> None:
    inside = sorted({edge for edge in edges if edge <= height})
    unread: list[Span] = list(zip(inside[::2], inside[1::2], strict=False))
    strips = to_strips(unread, height, grid=grid)
    for span in unread:
        assert sum(strip.unread[0] <= span[0] and span[1] <= strip.unread[1] for strip in strips) == 1
    for strip in strips:
        assert 0 <= strip.rows[0] <= strip.unread[0] < strip.unread[1] <= strip.rows[1] <= height
    assert all(above.rows[1] <= below.rows[0] for above, below in pairwise(strips))
