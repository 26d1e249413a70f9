"""Where a model's folder has its tokenizer, chat template and licence; each file is optional but one."""

import re
from pathlib import Path

import msgspec

from autoglm_phone.core.errors import BundleError
from autoglm_phone.text.known_templates import GLM4
from autoglm_phone.weights.checkpoint import read_json

TEMPLATE_FILE = "chat_template.jinja"
MAX_TEXT_BYTES = 1 << 20


class _WithTemplate(msgspec.Struct, frozen=True):
    chat_template: str | None = None


def find_tokenizer(place: Path) -> Path:
    """The file itself, or a folder's tokenizer.json, or else its ranks. Raises BundleError if there is none."""
    if place.is_file():
        return place
    for pattern in ("tokenizer.json", "tokenizer.model", "*.tokenizer.model"):
        if found := sorted(place.glob(pattern)):
            return found[0]
    raise BundleError(f"{place} has neither tokenizer.json nor tokenizer.model; name a folder or file that is one")


def find_template(folder: Path) -> str:
    """A file of its own, or a field of tokenizer_config.json; without either its family's."""
    for path in sorted(folder.glob(f"*{TEMPLATE_FILE}")):
        return _text(path)
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            template = read_json(folder / name, _WithTemplate, MAX_TEXT_BYTES).chat_template
            if template:
                return template
    return GLM4


def find_licence(folder: Path) -> str:
    """What the front matter of a hub's README.md says."""
    path = folder / "README.md"
    found = re.search(r"^license: *([\w.-]{1,64}) *$", _text(path), re.MULTILINE) if path.is_file() else None
    return found.group(1) if found else "unknown"


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_TEXT_BYTES)
    return data.decode("utf-8", "replace")
