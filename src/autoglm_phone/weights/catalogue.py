"""Which bundle a model's name means: one of the catalogue, an imported one, a folder, a bundle.toml, or GGUF files."""

from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.bundle import BUNDLE_FILE, Bundle, load_bundle
from autoglm_phone.weights.checkpoint import is_checkpoint
from autoglm_phone.weights.gguf_bundle import SUFFIX, DigestOf, bundle_of_gguf, text_gguf_of
from autoglm_phone.weights.voice_bundle import VOICE_ID, voice_bundle

CATALOGUE = Path(__file__).parent.parent / "bundles"
PREFIX = "autoglm-phone-"


def bundle_ids(folder: Path = CATALOGUE) -> tuple[str, ...]:
    """The ids of the bundles that have a folder of their own in this one."""
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{BUNDLE_FILE}")))


def find_bundle(model: str, digest_of: DigestOf, imported: Path | None = None) -> Bundle:
    """The bundle that `model` names; `nano` is short for `autoglm-phone-nano`. `voice` is one module for all of them.

    digest_of is asked for bare GGUFs only: no bundle.toml says what they should be. imported: where bundles are that
    were imported under an id; those of the catalogue go first.
    """
    if model in (VOICE_ID, VOICE_ID.removeprefix(PREFIX)):
        return voice_bundle()
    for known in bundle_ids():
        if model in (known, known.removeprefix(PREFIX)):
            return load_bundle(CATALOGUE / known)
    if imported is not None and model in bundle_ids(imported):
        return load_bundle(imported / model)
    path = Path(model).expanduser().absolute()
    if path.is_file() and path.suffix == SUFFIX:
        return bundle_of_gguf(path, digest_of)
    if path.is_dir() and not (path / BUNDLE_FILE).is_file():
        return _bundle_of_folder(path, digest_of)
    if path.exists():
        return load_bundle(path)
    ids = bundle_ids() + (bundle_ids(imported) if imported is not None else ())
    raise BundleError(
        f"there is no model {model!r}: it is neither one of {', '.join(ids)} nor a folder with a "
        f"{BUNDLE_FILE} nor a GGUF file"
    )


def _bundle_of_folder(folder: Path, digest_of: DigestOf) -> Bundle:
    if is_checkpoint(folder):
        raise BundleError(
            f"{folder} is a checkpoint as model hubs have it: autoglm-phone import {folder} --id NAME converts it, and "
            f"so does autoglm-phone serve --model {folder}"
        )
    text = text_gguf_of(folder)
    if text is None:
        raise BundleError(f"{folder} is no model: it holds neither a {BUNDLE_FILE} nor a checkpoint nor a GGUF")
    return bundle_of_gguf(text, digest_of)
