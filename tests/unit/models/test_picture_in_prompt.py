"""The modules together: a prompt with pictures through ours and through transformers' whole model."""

import numpy as np
import torch
from tiny_glm4v import IMAGE_TOKEN, SETTINGS, reference, relative_error, tensors
from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

from autoglm_phone.models.text.decoder import decoder_of_checkpoint
from autoglm_phone.models.text.positions import ImageSpan, TextSpan, mrope_positions
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget

BUDGET = PixelBudget(max_pixels=100_000)


def test_logits_of_two_pictures_are_those_of_the_reference() -> None:
    pictures = [np.random.default_rng(n).integers(0, 256, (90 + 40 * n, 120, 3), np.uint8) for n in range(2)]
    encoder = VisionEncoder.of_checkpoint(SETTINGS, tensors(), budget=BUDGET)
    decoder = decoder_of_checkpoint(SETTINGS, tensors())
    grids = [encoder.grid(picture.shape[1], picture.shape[0]) for picture in pictures]
    texts = [[3, 14, 15], [9, 2], [6, 5, 35]]
    placeholders = [[IMAGE_TOKEN] * grid.num_tokens for grid in grids]
    ids = torch.tensor([*texts[0], *placeholders[0], *texts[1], *placeholders[1], *texts[2]])
    is_picture = ids == IMAGE_TOKEN

    processor = Glm4vImageProcessorPil(size={"shortest_edge": BUDGET.min_pixels, "longest_edge": BUDGET.max_pixels})
    taken = processor(pictures, return_tensors="pt")
    with torch.inference_mode():
        theirs = reference()(input_ids=ids[None], mm_token_type_ids=is_picture.int()[None], **taken).logits[0].numpy()

        embeddings = decoder.embed(ids)
        embeddings[is_picture] = torch.from_numpy(np.concatenate([encoder.encode(picture) for picture in pictures]))
        positions = mrope_positions(
            [
                TextSpan(len(texts[0])),
                ImageSpan(grids[0].rows, grids[0].columns),
                TextSpan(len(texts[1])),
                ImageSpan(grids[1].rows, grids[1].columns),
                TextSpan(len(texts[2])),
            ]
        )
        ours = decoder.head(decoder(embeddings, torch.from_numpy(positions))).numpy()
    assert relative_error(ours, theirs) < 1e-5
