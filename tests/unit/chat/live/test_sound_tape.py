"""The tape against one long array."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.chat.live.sound_tape import SoundTape

step = st.tuples(st.sampled_from(["append", "forget", "cut"]), st.integers(0, 40), st.integers(0, 40))


@given(st.lists(step, max_size=30))
def test_a_cut_is_what_the_whole_sound_has_there(steps: list[tuple[str, int, int]]) -> None:
    tape, whole, forgotten = SoundTape(), np.zeros(0, np.int16), 0
    for what, first, second in steps:
        match what:
            case "append":
                more = np.arange(len(whole), len(whole) + first, dtype=np.int16)
                whole = np.concatenate([whole, more])
                tape.append(more)
            case "forget":
                tape.forget(first)
                forgotten = max(forgotten, min(first, len(whole)))
            case _:
                start = max(forgotten, first)
                assert tape.cut(first, first + second).tolist() == whole[start : first + second].tolist()
        assert (tape.start, tape.end) == (forgotten, len(whole))
