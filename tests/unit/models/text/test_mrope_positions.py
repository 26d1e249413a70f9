"""Positions of prompts with pictures against transformers' get_rope_index."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_glm4v import IMAGE_TOKEN, reference

from autoglm_phone.models.text.positions import ImageSpan, TextSpan, mrope_positions, next_position

Spans = list[TextSpan | ImageSpan]

text = st.builds(TextSpan, st.integers(1, 9))
image = st.builds(ImageSpan, st.integers(1, 6), st.integers(1, 6))
# Pictures are always apart: a token opens each of them. The reference would take two that touch for one.
prompts = st.lists(st.tuples(image, text), max_size=4).flatmap(
    lambda pairs: text.map(lambda first: [first, *(span for pair in pairs for span in pair)])
)


def their_positions(spans: Spans) -> tuple[np.ndarray, int]:
    ids: list[int] = []
    grids = []
    for span in spans:
        match span:
            case TextSpan(num_tokens):
                ids += [1] * num_tokens
            case ImageSpan(rows, columns):
                ids += [IMAGE_TOKEN] * (rows * columns)
                grids.append([1, 2 * rows, 2 * columns])  # in patches
    tokens = torch.tensor([ids])
    positions, delta = reference().model.get_rope_index(
        tokens, (tokens == IMAGE_TOKEN).int(), torch.tensor(grids) if grids else None
    )
    return positions[:, 0].numpy(), int(delta) + len(ids)


@pytest.mark.parametrize(
    "spans",
    [
        [TextSpan(7)],
        [TextSpan(3), ImageSpan(5, 2), TextSpan(4)],
        [TextSpan(1), ImageSpan(1, 4), TextSpan(1), ImageSpan(3, 3), TextSpan(2)],
    ],
    ids=["text", "one picture", "two pictures"],
)
def test_positions_are_those_of_the_reference(spans: Spans) -> None:
    theirs, next_one = their_positions(spans)
    ours = mrope_positions(spans)
    assert np.array_equal(ours, theirs)
    assert next_position(ours) == next_one


@given(spans=prompts)
def test_any_arrangement_agrees(spans: Spans) -> None:
    theirs, next_one = their_positions(spans)
    assert np.array_equal(mrope_positions(spans), theirs)
    assert next_position(mrope_positions(spans)) == next_one


@given(spans=prompts, data=st.data())
def test_a_prompt_in_parts_has_the_same_positions(spans: Spans, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(spans)))
    first = mrope_positions(spans[:cut])
    second = mrope_positions(spans[cut:], start=next_position(first))
    assert np.array_equal(np.concatenate((first, second), axis=1), mrope_positions(spans))


def test_no_tokens_have_no_positions() -> None:
    assert mrope_positions([]).shape == (3, 0)
    assert next_position(mrope_positions([])) == 0
