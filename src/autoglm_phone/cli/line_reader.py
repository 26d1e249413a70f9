"""Lines from the terminal: editing, a history that is kept, and messages of several lines."""

import os
import readline
from collections.abc import Callable, Mapping
from pathlib import Path

_MAX_LINES = 1000
_FENCE = '"""'


class LineReader:
    """read asks for one line, by a prompt. Behind a backslash a line goes on; three quotes begin and end many."""

    def __init__(self, read: Callable[[str], str], *, prompts: tuple[str, str] = ("> ", "… ")) -> None:
        self._read = read
        self._first, self._next = prompts

    def __call__(self) -> str:
        """Raises EOFError and KeyboardInterrupt as input() does."""
        line = self._read(self._first)
        if line.strip().startswith(_FENCE):
            return self._until_fence(line.strip().removeprefix(_FENCE))
        lines = [line]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(self._read(self._next))
        return "\n".join(lines)

    def _until_fence(self, first: str) -> str:
        lines = [first] if first else []
        while not (lines and lines[-1].endswith(_FENCE)):
            lines.append(self._read(self._next))
        lines[-1] = lines[-1].removesuffix(_FENCE)
        return "\n".join(lines).strip("\n")


def history_file(environ: Mapping[str, str]) -> Path:
    """Where the XDG base directory specification has what a program remembers."""
    state = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "autoglm-phone" / "chat_history"


def load_history(path: Path) -> None:
    readline.set_history_length(_MAX_LINES)
    if path.is_file():
        readline.read_history_file(path)


def save_history(path: Path) -> None:
    """For this user alone. A place that cannot be written to costs the history and nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        readline.write_history_file(path)
    except OSError:
        return
