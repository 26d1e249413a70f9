"""The catalogue's voice: a bundle of one module, which any decoder's bundle can stand beside."""

import tomllib
from pathlib import Path

import msgspec

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.module_spec import ModuleSpec

VOICE_ID = "autoglm-phone-voice"
_FOLDER = Path(__file__).parent.parent / "bundles" / VOICE_ID


def voice_bundle() -> Bundle:
    path = _FOLDER / "voice.toml"
    try:
        spec = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), ModuleSpec)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BundleError(f"{path}: {error}") from error
    for fault in spec.faults("voice"):
        raise BundleError(f"{path}: {fault}")
    return Bundle(
        id=VOICE_ID,
        title="A voice for any model: English and Mandarin",
        licence=spec.licence,
        limits=spec.limits,
        folder=_FOLDER,
        modules={"voice": spec},
        system_prompt="",
        sampling=SamplingParams(),
        max_model_len=0,
    )
