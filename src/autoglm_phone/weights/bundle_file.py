"""Writes a bundle's folder: bundle.toml, its system prompt, its licence texts."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from autoglm_phone.weights.bundle import BUNDLE_FILE, LICENCES, PROMPT_FILE, Bundle
from autoglm_phone.weights.verified import replace_file

MAX_LICENCE_BYTES = 1 << 20


def write_bundle(bundle: Bundle, folder: Path, licences: Mapping[str, bytes]) -> None:
    """The bundle will be found in `folder`, where its files must be. licences: texts by name of file.

    bundle.toml comes last: a folder without it is no bundle yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in licences.items():
        replace_file(folder / LICENCES / name, text)
    replace_file(folder / PROMPT_FILE, f"{bundle.system_prompt}\n".encode())
    replace_file(folder / BUNDLE_FILE, to_toml(bundle).encode())


def to_toml(bundle: Bundle) -> str:
    """What load_bundle reads back as the same bundle."""
    head = {name: getattr(bundle, name) for name in ("id", "title", "licence", "limits", "max_model_len")}
    sampling = bundle.sampling
    asked = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    lines = [*_keys(head), "", "[sampling]", *_keys({name: getattr(sampling, name) for name in asked})]
    for modality, module in bundle.modules.items():
        lines += ["", *_table(modality, msgspec.to_builtins(module))]
    return "\n".join(lines) + "\n"


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A table, then those in it, then its lists of files; what is absent or empty is left out."""
    given = {key: value for key, value in values.items() if value not in (None, {}, [], ())}
    given |= {key: _present(given[key]) for key in ("widths", "hub") if key in given}
    deep = {key: given.pop(key) for key in ("projector", "template") if key in given}
    files = given.pop("files", ())
    yield f"[{name}]"
    yield from _keys({key: value for key, value in given.items() if value != {}})
    for key, table in deep.items():
        yield ""
        yield from _table(f"{name}.{key}", table)
    for file in files:
        yield from ("", f"[[{name}.files]]", *_keys(_present(file)))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], ())}


def _keys(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    """Numbers, strings, lists and tables in one line. A JSON string is a TOML string, but for one character."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_keys(value)) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
