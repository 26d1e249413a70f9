"""The voice process: Kokoro in a process of its own (`python -m` this module), its config, and where its files are.

The server's side imports this file for the config and the door alone.
"""

import dataclasses
import logging
from pathlib import Path

import msgspec

from autoglm_phone.assemble.resident import resident_bytes
from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.ipc.child import ChildSocket, run_child
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.models.voice.voices import VOICES
from autoglm_phone.settings import Settings
from autoglm_phone.speaking.door import VoiceProcess
from autoglm_phone.weights.store import LocatedModule, Store
from autoglm_phone.weights.voice_bundle import voice_bundle

MODULE = "autoglm_phone.assemble.voice_process"

log = logging.getLogger("uvicorn.error")


class VoiceProcessConfig(msgspec.Struct, frozen=True):
    """files: the model and the two parts of the English dictionary. info: as its bundle describes it."""

    info: ModuleInfo
    files: tuple[str, ...]
    threads: int


def locate_voice(store: Store, settings: Settings) -> LocatedModule | None:
    """None where no voice is wanted, or `auto` finds none. Raises BundleError where one is wanted and missing."""
    if settings.voice == "off":
        return None
    try:
        return store.locate(voice_bundle())["voice"]
    except BundleError as error:
        if settings.voice == "on":
            raise
        log.info("no voice: %s", str(error).splitlines()[0])
        return None


def voice_door(module: LocatedModule, info: ModuleInfo, *, threads: int, nice: int) -> VoiceProcess:
    config = VoiceProcessConfig(info, tuple(map(str, module.files)), threads)
    env = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    return VoiceProcess(MODULE, msgspec.json.encode(config), VOICES, options=ProcessOptions(env=env, nice=nice))


def main(child: ChildSocket, config_json: bytes) -> None:
    # Here, not at the top: the server's side imports this file for its config alone.
    from autoglm_phone.models.voice.kokoro import Kokoro
    from autoglm_phone.speaking.worker import serve

    config = msgspec.json.decode(config_json, type=VoiceProcessConfig)
    before_bytes = resident_bytes()
    if len(config.files) != 3:
        raise BundleError(f"a voice is a model and two parts of a dictionary, not {len(config.files)} files")
    model, gold, silver = map(Path, config.files)
    speaker = Kokoro(model, gold, silver, threads=config.threads)
    info = dataclasses.replace(config.info, memory_bytes=resident_bytes() - before_bytes)
    serve(child, speaker, info)


if __name__ == "__main__":
    run_child(main)
