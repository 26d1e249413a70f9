"""A checkpoint as model hubs have it becomes an imported bundle: converted into the store once, then found.

A speech encoder comes from a folder of its own, SPEECH in the checkpoint's if no other is named. Whisper's goes into
the file of encoders; GLM-ASR's stays in safetensors, since llama.cpp's files have no form for it.
"""

import re
from dataclasses import replace
from pathlib import Path

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.fingerprint import fingerprint
from autoglm_phone.convert.mix import TextMix, encoder_mix_beside
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.convert.tokenizer_files import find_licence
from autoglm_phone.core.module import Modality
from autoglm_phone.models.text import config as decoder_config
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.checkpoint import CONFIG_FILE, Checkpoint, is_checkpoint, open_checkpoint
from autoglm_phone.weights.gguf_bundle import UNDESCRIBED, bundle_of_gguf
from autoglm_phone.weights.importing import Wishes, check_free, import_bundle, take
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec, Widths
from autoglm_phone.weights.progress import Progress
from autoglm_phone.weights.store import Store
from autoglm_phone.weights.verified import hash_file

DEFAULT_MIX: TextMix = "q4_k_m"
MAX_NAME_CHARS, DIGEST_CHARS = 80, 12
SPEECH = "speech"


def converted_id(checkpoint: Path) -> str:
    """An id of its own for these weights: the folder's name, and enough of a digest over samples of its files."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", checkpoint.resolve().name).strip("-._")[:MAX_NAME_CHARS]
    files = open_checkpoint(checkpoint).files
    if (ears := _speech_in(checkpoint)) is not None:
        files += ears.encoder.files
    return f"{name or 'model'}-{fingerprint(files)[:DIGEST_CHARS]}"


def import_checkpoint(
    store: Store,
    checkpoint: Path,
    wishes: Wishes,
    mix: TextMix,
    threads: int,
    progress: Progress,
    speech: Speech | None = None,
) -> Bundle:
    """Text and encoders as GGUF in the store. A run that was cut off goes on where it was. Raises BundleError."""
    folder = check_free(store, None, wishes.id)
    opened = open_checkpoint(checkpoint)
    how = Conversion(mix, encoder_mix_beside(mix), Quantiser(LlamaLibrary()), threads, progress)
    folder.mkdir(parents=True, exist_ok=True)
    speech = speech or _speech_in(checkpoint)
    is_whole = speech is not None and speech.encoder.config.get("model_type") == "glmasr"
    mmproj = convert_encoders(opened, folder, how, None if is_whole else speech)
    text = convert_text(opened, folder, how)
    more: dict[Modality, ModuleSpec] = {}
    if speech is not None and is_whole:
        more["speech"] = _glm_asr(speech.encoder, folder, decoder_config.from_checkpoint(opened.config).d_model)
    found = bundle_of_gguf(text, hash_file, mmproj=mmproj, more=more)
    return import_bundle(store, found, replace(wishes, beside=True, licences_from=checkpoint), progress)


def _speech_in(checkpoint: Path) -> Speech | None:
    if not is_checkpoint(checkpoint / SPEECH):
        return None
    found = open_checkpoint(checkpoint / SPEECH)
    return Speech(found, found)


def _glm_asr(ears: Checkpoint, folder: Path, width: int) -> ModuleSpec:
    """Its files are put into the folder under names of their own: every checkpoint has the same ones."""
    sources = {f"{SPEECH}-{CONFIG_FILE}": ears.folder / CONFIG_FILE}
    sources |= {f"{SPEECH}-{path.name}": path for path in ears.files}
    files = []
    for name, source in sources.items():
        digest = hash_file(source)
        take(source, folder / name, digest)
        files.append(FileSpec(name=name, size_bytes=source.stat().st_size, sha256=digest))
    return ModuleSpec(
        kind="encoder",
        format="safetensors",
        arch="glmasr",
        version=ears.folder.resolve().name,
        licence=find_licence(ears.folder),
        files=tuple(files),
        limits=UNDESCRIBED,
        widths=Widths(d_out=width),
    )
