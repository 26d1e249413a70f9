"""A voice process that says what the text says: `python -m fake_voice`.

A piece for each word, its letters as samples. gate PATH speaks when somebody has written to the fifo PATH; fail and
refuse do so; die ends the process.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.core.voice import SpeakingOptions, Voice
from autoglm_phone.ipc.child import ChildSocket, run_child
from autoglm_phone.speaking.worker import serve


class FakeSpeaker:
    voices: tuple[Voice, ...] = (Voice("fake", ("en",)),)

    def speak(self, text: str, options: SpeakingOptions) -> Iterator[NDArray[np.int16]]:
        for word in text.split():
            match word:
                case "fail":
                    raise ZeroDivisionError("hoarse")
                case "refuse":
                    raise InvalidRequest("no such voice", param="voice")
                case "die":
                    os._exit(1)
            if word.startswith("/"):
                word = Path(word).read_text()
            yield np.frombuffer(word.encode(), np.uint8).astype(np.int16)


def main(child: ChildSocket, config: bytes) -> None:
    info = ModuleInfo("voice", "speaker", "fake", "1", Digest("00"), (), 5)
    serve(child, FakeSpeaker(), info)


if __name__ == "__main__":
    run_child(main)
