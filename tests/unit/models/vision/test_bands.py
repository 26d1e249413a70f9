import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.models.vision.bands import to_bands


def test_a_small_picture_is_one_band() -> None:
    assert to_bands(np.zeros((100, 50, 3), np.uint8), 100) == [(0, 100)]


def test_no_line_of_letters_is_cut() -> None:
    page = np.full((1000, 200, 3), 255, np.uint8)
    starts = range(10, 980, 60)
    for start in starts:
        page[start : start + 40, ::4] = 0
    seams = [first for first, _ in to_bands(page, 300)[1:]]
    assert len(seams) == 3
    assert not any(start <= seam < start + 40 for start in starts for seam in seams)


@given(st.integers(1, 700), st.integers(1, 40), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_bands_are_the_picture(height: int, width: int, max_height: int, seed: int) -> None:
    page = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    bands = to_bands(page, max_height)
    assert [row for first, end in bands for row in range(first, end)] == list(range(height))
    assert all(end - first <= max_height * 4 / 3 + 2 for first, end in bands)
