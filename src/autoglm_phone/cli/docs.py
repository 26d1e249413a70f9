"""Writes docs/cli.md and docs/configuration.md from the program itself; `--check` only says whether they are true."""

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from autoglm_phone.cli.main import app
from autoglm_phone.cli.serve import default_of, kind_of
from autoglm_phone.settings import Settings
from autoglm_phone.settings.load import flag_of, variable_of

DOCS = Path(__file__).parents[3] / "docs"
WIDTH = 100
NOTE = "<!-- Written by `make docs`; changes made here are lost. -->\n"


def pages() -> dict[Path, str]:
    return {DOCS / "cli.md": cli_page(), DOCS / "configuration.md": configuration_page()}


def cli_page() -> str:
    contexts = _contexts(_context(get_command(app), "autoglm-phone"))
    sections = (f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in contexts)
    return "\n".join([f"{NOTE}\n# The command line\n", *sections])


def _contexts(context: typer.Context) -> Iterator[typer.Context]:
    """The command and all below it, in the order in which help lists them."""
    yield context
    if isinstance(context.command, TyperGroup):
        for name, command in context.command.commands.items():
            yield from _contexts(_context(command, name, context))


def _context(command: Any, name: str, parent: typer.Context | None = None) -> typer.Context:
    return typer.Context(command, parent, name, terminal_width=WIDTH, max_content_width=WIDTH)


def configuration_page() -> str:
    rows = [
        f"| `{name}` | `{flag_of(name)}` | `{variable_of(name)}` | {_cell(_kind(name))} | {_cell(_default(name))} "
        f"| {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            NOTE,
            "# Configuration\n",
            "A setting is read from its flag, else from its variable, else from the settings file (TOML, named by "
            "`--config` or `AUTOGLM_CONFIG`), else it has its default. Unknown keys, misspelt variables and values out "
            "of bounds stop the program with a line that says where the value came from.\n",
            "```toml\n# settings.toml\nport = 9000\nprofile = \"phone\"\nspill_bytes = \"256MiB\"\n"
            "served_model_name = [\"my-assistant\"]\n```\n",
            "Where things are is said by variables alone: `AUTOGLM_HOME` (model files, default "
            "`~/.cache/autoglm-phone`), `AUTOGLM_VENV` (the start script's virtual environment, default `.venv` in the "
            "repository), `HF_ENDPOINT` (a mirror of the model hub).\n",
            "| Key | Flag | Variable | Value | Default | Meaning |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )  # fmt: skip


def _kind(name: str) -> str:
    field = Settings.model_fields[name]
    return "true or false" if field.annotation is bool else kind_of(field)


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    return str(field.default).lower() if field.annotation is bool else default_of(field)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    is_check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if is_check:
            was = path.read_text().splitlines() if path.is_file() else []
            print("\n".join(difflib.unified_diff(was, pages()[path].splitlines(), path.name, "the program", n=0)))
            print(f"{path.name} is not what the program says; run `make docs`", file=sys.stderr)
        else:
            path.write_text(pages()[path])
            print(f"wrote {path.name}", file=sys.stderr)
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
