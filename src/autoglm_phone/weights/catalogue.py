"""Which bundle a model's name means: one of the catalogue, a folder, a bundle.toml, or a bare GGUF file."""

from collections.abc import Callable
from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.weights.bundle import BUNDLE_FILE, Bundle, FileSpec, ModuleSpec, load_bundle
from autoglm_phone.weights.gguf_file import Value, read_metadata

CATALOGUE = Path(__file__).parent.parent / "bundles"
PREFIX = "autoglm-phone-"
DEFAULT_WINDOW = 8192

# For a decoder of which nothing but its file is known. It gets no eyes and ears: a bundle.toml can give it some.
GGUF_PROMPT = (
    "You are AutoGLM-Phone, a private assistant that runs on the user's own hardware. You read text and answer in "
    "text, in the user's language. You cannot see pictures, hear sounds or reach the internet; say so when asked to."
)
GGUF_LIMITS = "It reads and writes text. It has no eyes and no ears: name a bundle to give it some."


def bundle_ids() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in CATALOGUE.glob(f"*/{BUNDLE_FILE}")))


def find_bundle(model: str, digest_of: Callable[[Path], Digest]) -> Bundle:
    """The bundle that `model` names; `nano` is short for `autoglm-phone-nano`.

    digest_of is asked for a bare GGUF only: no bundle.toml says what it should be.
    """
    for known in bundle_ids():
        if model in (known, known.removeprefix(PREFIX)):
            return load_bundle(CATALOGUE / known)
    path = Path(model).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        return _bundle_of_gguf(path.absolute(), digest_of(path))
    if path.exists():
        return load_bundle(path.absolute())
    raise BundleError(
        f"there is no model {model!r}: it is neither one of {', '.join(bundle_ids())} nor a folder with a "
        f"{BUNDLE_FILE} nor a GGUF file"
    )


def _bundle_of_gguf(path: Path, digest: Digest) -> Bundle:
    metadata = read_metadata(path)
    arch = _word(metadata, "general.architecture", "unknown")
    trained_window = metadata.get(f"{arch}.context_length")
    window = min(DEFAULT_WINDOW, trained_window) if isinstance(trained_window, int) else DEFAULT_WINDOW
    title = _word(metadata, "general.name", path.stem)
    licence = _word(metadata, "general.license", "unknown")
    file = FileSpec(name=path.name, size_bytes=path.stat().st_size, sha256=digest)
    text = ModuleSpec(
        kind="decoder", format="gguf", arch=arch, version=title, licence=licence, files=(file,), limits=GGUF_LIMITS
    )
    return Bundle(
        id=path.stem,
        title=title,
        licence=licence,
        limits=GGUF_LIMITS,
        folder=path.parent,
        modules={"text": text},
        system_prompt=GGUF_PROMPT,
        sampling=SamplingParams(temperature=0.7, top_p=0.9),
        max_model_len=window,
    )


def _word(metadata: dict[str, Value], key: str, default: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) and value else default
