"""The media process: decoders, and the modules that see and hear, in a process of its own (`python -m` this module).

Its config and its door are here too, for the server's side; that side never imports what loads a model.
"""

import ctypes
import dataclasses
import resource
import sys
from pathlib import Path

import msgspec

from autoglm_phone.assemble.resident import resident_bytes
from autoglm_phone.core.media import Image, Waveform
from autoglm_phone.core.module import Mark, ModuleInfo
from autoglm_phone.ipc.child import ChildSocket, run_child
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.reading.door import DoorLimits, MediaProcess
from autoglm_phone.reading.live_sounds import Detector
from autoglm_phone.reading.messages import MediaModality
from autoglm_phone.reading.worker import (
    Sense,
    picture_encoder_sense,
    picture_sense,
    serve,
    sound_encoder_sense,
    sound_sense,
)

MODULE = "autoglm_phone.assemble.media_process"

# Beside streams that take all cores, nice loading is slow: modules that load in 2 s alone took 21.
READY_TIMEOUT_S = 600.0
MAX_ADDRESS_SPACE = 4 << 30
# Operations a second of one thread that encodes, at the least: a core with AVX-512 was seen to do 60e9 by itself, has a
# tenth of its time beside streams (nice 10), and others do less.
SLOW_SPEED = 3e9

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


class VisionConfig(msgspec.Struct, frozen=True):
    """The screen reader or the encoder, as info.kind says.

    info: as its bundle describes it; what it takes in memory is measured at loading. files: those of the module, of a
    screen reader detector and recognizer first; none means those of the installed package. image_tokens: most
    embeddings of a picture, of an encoder; mark: around them.
    """

    info: ModuleInfo
    files: tuple[str, ...] = ()
    threads: int = 1
    image_tokens: int = 0
    mark: Mark | None = None


class SpeechConfig(msgspec.Struct, frozen=True):
    """The transcriber over the whisper model in `folder`, or the encoder, as info.kind says. info: as for vision.

    max_tokens: most embeddings of a sound, of an encoder; mark: around them.
    """

    info: ModuleInfo
    folder: str
    threads: int = 1
    max_tokens: int = 0
    mark: Mark | None = None


class MediaProcessConfig(msgspec.Struct, frozen=True):
    """What the server tells the process at start, as JSON. Sizes in bytes.

    max_address_space bounds what a hostile medium can make a decoder ask for. Screen reader, transcriber and a few
    large pictures were seen to take 1.3 GB of it; an encoder's weights come on top.
    """

    vision: VisionConfig | None = None
    speech: SpeechConfig | None = None
    limits: MediaLimits = MediaLimits()
    cache_bytes: int = 16 << 20
    max_waiting_bytes: int = 256 << 20
    max_address_space: int = MAX_ADDRESS_SPACE

    @property
    def modalities(self) -> frozenset[MediaModality]:
        wanted: dict[MediaModality, object] = {"vision": self.vision, "speech": self.speech}
        return frozenset(modality for modality, module in wanted.items() if module is not None)

    @property
    def transcribes(self) -> bool:
        return self.speech is None or self.speech.info.kind == "transcriber"

    @property
    def threads(self) -> int:
        return max((module.threads for module in (self.vision, self.speech) if module is not None), default=1)


def media_door(config: MediaProcessConfig, *, nice: int = 10, limits: DoorLimits | None = None) -> MediaProcess:
    """The door to a media process with this config. nice: how far it steps back behind the decoder, 0 to 19."""
    threads = str(config.threads)
    env = {
        # numpy's BLAS and CTranslate2's OpenMP would take a thread per core, and spin between their calls
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
        "OPENCV_FOR_THREADS_NUM": threads,  # its pool has a thread per core, too
        # ONNX Runtime's builds for Linux report their use to their maker from 1.29 on, unless this is set before they
        # are loaded. Source: github.com/microsoft/onnxruntime/pull/27379
        "ORT_DISABLE_TELEMETRY": "1",
    }
    options = ProcessOptions(env=env, nice=nice, ready_timeout_s=READY_TIMEOUT_S)
    return MediaProcess(
        MODULE,
        msgspec.json.encode(config),
        config.modalities,
        transcribes=config.transcribes,
        options=options,
        limits=limits,
    )


def main(child: ChildSocket, config_json: bytes) -> None:
    config = msgspec.json.decode(config_json, type=MediaProcessConfig)
    limit_damage(config.max_address_space)
    senses: dict[MediaModality, Sense] = {}
    # Speech first: turning its weights to int8 is the peak of the loading, lower while nothing else is there.
    if config.speech is not None:
        senses["speech"] = _load_speech(config.speech, config.limits)
    if config.vision is not None:
        senses["vision"] = _load_vision(config.vision, config.limits)
    serve(
        child,
        senses,
        cache_bytes=config.cache_bytes,
        max_waiting_bytes=config.max_waiting_bytes,
        new_detector=_new_detector,
    )


def limit_damage(max_address_space: int) -> None:
    """What hostile bytes cannot do from here: exhaust the machine's memory, or gain rights through a setuid file."""
    resource.setrlimit(resource.RLIMIT_AS, (max_address_space, max_address_space))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # where memory runs out, this process goes first: it is replaced and loses nothing but its cache
        Path("/proc/self/oom_score_adj").write_text("500")


def _load_vision(config: VisionConfig, limits: MediaLimits) -> Sense:
    before_bytes = resident_bytes()
    # Here and in _load_speech, not at the top: the server's side imports this file for its config alone.
    from autoglm_phone.media.image import decode_image

    def decode(data: bytes, param: str) -> Image:
        return decode_image(data, limits, param=param)

    if config.info.kind == "encoder":
        from autoglm_phone.models.vision.picture_encoder import PictureEncoder

        files = tuple(map(Path, config.info.files))
        encoder = PictureEncoder(files, max_tokens=config.image_tokens, threads=config.threads, mark=config.mark)
        info, slow_speed = _measured(config.info, before_bytes), SLOW_SPEED * config.threads
        return picture_encoder_sense(info, decode, encoder, slow_speed=slow_speed)

    from autoglm_phone.models.vision.screen_reader import ScreenReader

    reader = ScreenReader(tuple(map(Path, config.files)) or None, threads=config.threads)
    return picture_sense(_measured(config.info, before_bytes), decode, reader)


def _load_speech(config: SpeechConfig, limits: MediaLimits) -> Sense:
    before_bytes = resident_bytes()
    from autoglm_phone.media.audio import decode_sound

    def decode(data: bytes, param: str) -> Waveform:
        return decode_sound(data, limits, param=param)

    if config.info.kind == "encoder":
        from autoglm_phone.models.sound_encoder import SpeechModule

        files = tuple(map(Path, config.info.files))
        encoder = SpeechModule(files, max_tokens=config.max_tokens, threads=config.threads, mark=config.mark)
        info, slow_speed = _measured(config.info, before_bytes), SLOW_SPEED * config.threads
        return sound_encoder_sense(info, decode, encoder, slow_speed=slow_speed)

    from autoglm_phone.models.speech.transcriber import Transcriber

    reader = Transcriber(Path(config.folder), threads=config.threads)
    return sound_sense(_measured(config.info, before_bytes), decode, reader)


def _new_detector() -> Detector:
    """Only where a transcriber is loaded: the door asks for none elsewhere."""
    from autoglm_phone.models.speech.live_detector import LiveDetector

    return LiveDetector()


def _measured(info: ModuleInfo, before_bytes: int) -> ModuleInfo:
    return dataclasses.replace(info, memory_bytes=resident_bytes() - before_bytes)


if __name__ == "__main__":
    run_child(main)
