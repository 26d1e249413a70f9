"""The live voice detector against the library's own on the whole sound."""

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model  # type: ignore[import-untyped]  # ships no types

from autoglm_phone.models.speech.live_detector import LiveDetector


@pytest.mark.parametrize("piece", [100, 512, 3000])
def test_piece_by_piece_it_sees_what_the_whole_shows(piece: int) -> None:
    rng = np.random.default_rng(0)
    envelope = np.repeat(rng.uniform(0, 0.5, 40), 512)
    sound = (rng.standard_normal(40 * 512) * envelope).astype(np.float32)
    detector = LiveDetector()
    live = [one for start in range(0, len(sound), piece) for one in detector.push(sound[start : start + piece])]
    assert len(live) == 40
    # the library silences the end of the last frame, so that one differs
    whole = get_vad_model()(sound.copy()).reshape(-1).tolist()
    assert live[:-1] == pytest.approx(whole[:-1], abs=1e-4)
