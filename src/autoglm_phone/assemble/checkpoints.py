"""A checkpoint as model hubs have it becomes an imported bundle: converted into the store once, then found."""

import re
from dataclasses import replace
from pathlib import Path

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.fingerprint import fingerprint
from autoglm_phone.convert.mix import TextMix, encoder_mix_beside
from autoglm_phone.convert.to_gguf import Conversion, convert_encoders, convert_text
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.gguf_bundle import bundle_of_gguf
from autoglm_phone.weights.importing import Wishes, check_free, import_bundle
from autoglm_phone.weights.progress import Progress
from autoglm_phone.weights.store import Store
from autoglm_phone.weights.verified import hash_file

DEFAULT_MIX: TextMix = "q4_k_m"
MAX_NAME_CHARS, DIGEST_CHARS = 80, 12


def converted_id(checkpoint: Path) -> str:
    """An id of its own for these weights: the folder's name, and enough of a digest over samples of its files."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", checkpoint.resolve().name).strip("-._")[:MAX_NAME_CHARS]
    return f"{name or 'model'}-{fingerprint(open_checkpoint(checkpoint).files)[:DIGEST_CHARS]}"


def import_checkpoint(
    store: Store, checkpoint: Path, wishes: Wishes, mix: TextMix, threads: int, progress: Progress
) -> Bundle:
    """Text and encoders as GGUF in the store. A run that was cut off goes on where it was. Raises BundleError."""
    folder = check_free(store, None, wishes.id)
    opened = open_checkpoint(checkpoint)
    how = Conversion(mix, encoder_mix_beside(mix), Quantiser(LlamaLibrary()), threads, progress)
    folder.mkdir(parents=True, exist_ok=True)
    mmproj = convert_encoders(opened, folder, how)
    text = convert_text(opened, folder, how)
    found = bundle_of_gguf(text, hash_file, mmproj=mmproj)
    return import_bundle(store, found, replace(wishes, beside=True, licences_from=checkpoint), progress)
