"""A media process whose decoders and readers do what the bytes say: `python -m fake_media`.

say WORD #MARK    reads as WORD; MARK makes other bytes of the same medium
gate PATH         reads when somebody has written to the fifo PATH
refuse, fail      the decoder refuses, fails
refuse late       the reader refuses
hang              the reader never ends; in a sound too (one sample a byte, 16 kHz)

As a transcript, a sound has a window for each part between `|`; besides words there are
gate PATH         heard when somebody has written to the fifo PATH
count             heard as the number of windows so far
deaf              a window without speech
fail, refuse      the listener fails, refuses

layers FIFO LOG   of the encoder that the config "encoder" stands for: it writes a letter into LOG for each of its
                  hundred layers, and before the fourth waits for the fifo

The config "second" stands for modules of another version, "vision only" for what it says.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import InvalidRequest, MediaTooLarge, MediaUndecodable
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.media import Image, Waveform
from autoglm_phone.core.module import Checkpoint, Embeddings, Modality, ModuleInfo, Reading
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment
from autoglm_phone.ipc.child import ChildSocket, run_child
from autoglm_phone.reading.messages import MediaModality
from autoglm_phone.reading.worker import Sense, picture_encoder_sense, picture_sense, serve, sound_sense


def info(modality: Modality, version: str = "1") -> ModuleInfo:
    digest = Digest((modality[0] if version == "1" else version) * 64)
    return ModuleInfo(modality, "transcriber", "fake", version, digest, (f"{modality}.bin",), 5)


def decode_image(data: bytes, param: str) -> Image:
    if data == b"refuse":
        raise MediaUndecodable(f"{param} is not a picture", param=param)
    if data == b"fail":
        raise ZeroDivisionError("in the decoder")
    meaning = data.split(b"#")[0]
    return Image(np.frombuffer(meaning + b" " * (-len(meaning) % 3), np.uint8).reshape(1, -1, 3))


def decode_sound(data: bytes, param: str) -> Waveform:
    return Waveform(np.frombuffer(data, np.uint8).astype(np.float32), 16_000)


@dataclass
class FakeReader:
    """Counts in the summary how often it has really read."""

    num_read: int = 0

    def read(self, image: Image) -> Reading:
        self.num_read += 1
        command, _, rest = image.pixels.tobytes().decode().strip().partition(" ")
        match command:
            case "gate":
                rest = Path(rest).read_text()
            case "refuse":
                raise MediaTooLarge("too much to read")
            case "hang":
                threading.Event().wait()
        return Reading(rest, f"reading {self.num_read}")


class FakeEncoder:
    def num_operations(self, image: Image) -> float:
        return image.pixels.size

    def encode(self, image: Image, checkpoint: Checkpoint) -> Embeddings:
        command, *rest = image.pixels.tobytes().decode().split()
        if command == "hang":
            threading.Event().wait()
        if command == "layers":
            fifo, log = map(Path, rest)
            for layer in range(100):
                if layer == 3:
                    fifo.read_text()
                checkpoint()
                with log.open("a") as file:
                    file.write("x")
        return Embeddings(np.zeros((1, 4), np.float32))


@dataclass
class FakeEar:
    num_heard: int = 0

    def read(self, sound: Waveform, checkpoint: Checkpoint) -> Reading:
        text = bytes(sound.samples.astype(np.uint8)).decode()
        if text.startswith("hang"):
            threading.Event().wait()
        return Reading(text, f"{len(sound.samples)} samples")

    def hear(self, sound: Waveform, options: HearingOptions) -> Iterator[Heard]:
        for part in bytes(sound.samples.astype(np.uint8)).decode().split("|"):
            self.num_heard += 1
            text, _, rest = part.partition(" ")
            match text:
                case "gate":
                    text = Path(rest).read_text()
                case "count":
                    text = str(self.num_heard)
                case "hang":
                    threading.Event().wait()
                case "fail":
                    raise ZeroDivisionError("in the listener")
                case "refuse":
                    raise InvalidRequest("no such language", param="language")
            segment = Segment(f" {text}", 0.0, 1.0, (1, 2), options.temperature, 0.0, -0.5, 0.1, 1.0)
            yield Heard(options.language or "en", (segment,) if text != "deaf" else ())


class FakeDetector:
    """Tells how many samples have come; the value 7 kills the process."""

    def __init__(self) -> None:
        self.num_samples = 0

    def push(self, samples: NDArray[np.float32]) -> tuple[float, ...]:
        if len(samples) and samples[0] * 32768 == 7:
            os._exit(1)
        self.num_samples += len(samples)
        return (float(self.num_samples),)


def main(child: ChildSocket, config: bytes) -> None:
    version = "2" if config == b"second" else "1"
    senses: dict[MediaModality, Sense] = {"vision": picture_sense(info("vision", version), decode_image, FakeReader())}
    if config == b"encoder":
        senses["vision"] = picture_encoder_sense(info("vision"), decode_image, FakeEncoder(), slow_speed=1.0)
    if config != b"vision only":
        senses["speech"] = sound_sense(info("speech", version), decode_sound, FakeEar())
    serve(child, senses, cache_bytes=1 << 20, max_waiting_bytes=1 << 20, new_detector=FakeDetector)


if __name__ == "__main__":
    run_child(main)
