"""Sizes and tokens of pictures against transformers' own arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.glm4v.image_processing_pil_glm4v import smart_resize

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.models.vision.grid import PatchGrid, PixelBudget, fit

side = st.integers(1, 6000)
budgets = st.sampled_from(
    [PixelBudget(), PixelBudget(max_pixels=5_000_000), PixelBudget.of_tokens(480, 28), PixelBudget.of_tokens(3, 28)]
)


def grid_of(width: int, height: int, budget: PixelBudget) -> PatchGrid:
    return fit(width, height, budget, merge=2, patch_side=14)


@given(width=side, height=side, budget=budgets)
def test_sizes_are_those_of_the_reference(width: int, height: int, budget: PixelBudget) -> None:
    bounds = {"min_pixels": budget.min_pixels, "max_pixels": budget.max_pixels}
    try:
        theirs = smart_resize(2, height, width, **bounds)
    except ValueError:
        with pytest.raises(InvalidRequest, match="the limit is 200"):
            grid_of(width, height, budget)
        return
    grid = grid_of(width, height, budget)
    assert (grid.height, grid.width) == theirs
    assert grid.num_tokens == theirs[0] * theirs[1] // 28**2


@pytest.mark.parametrize(
    ("width", "height", "max_pixels", "num_tokens"),
    [
        (1080, 2400, 5_000_000, 3108),
        (1080, 2400, 9_633_792, 3354),
        (720, 1600, 5_000_000, 1482),
        (540, 1200, 5_000_000, 817),
    ],
)
def test_screens_take_the_tokens_that_are_known(width: int, height: int, max_pixels: int, num_tokens: int) -> None:
    assert grid_of(width, height, PixelBudget(max_pixels=max_pixels)).num_tokens == num_tokens


@given(width=st.integers(300, 4000), height=st.integers(300, 4000), limit=st.integers(16, 4000))
def test_a_budget_of_tokens_is_kept(width: int, height: int, limit: int) -> None:
    assert grid_of(width, height, PixelBudget.of_tokens(limit, 28)).num_tokens <= limit
