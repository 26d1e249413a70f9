"""An answer as it grows: plain where nobody looks, rendered Markdown block by block in a terminal."""

import re

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

# What could move the cursor, recolour or rename the terminal: the text is a model's and may be anybody's.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_BLOCK_END = re.compile(r"\n\s*\n")


class PlainAnswer:
    """Every piece at once, as it came."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def think(self, text: str) -> None:
        self._console.print(CONTROL.sub("", text), end="", style="dim italic", soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(CONTROL.sub("", text), end="", soft_wrap=True)

    def end(self) -> None:
        self._console.print()


class MarkdownAnswer:
    """Blocks that are complete are printed for good; the one that grows is drawn anew with every piece."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._thought = self._rest = ""

    def think(self, text: str) -> None:
        self._thought += CONTROL.sub("", text)
        self._draw(Text(self._thought, style="dim italic"))

    def say(self, text: str) -> None:
        if self._thought:
            self._settle(Text(self._thought.strip(), style="dim italic"))
            self._thought = ""
        self._rest += CONTROL.sub("", text)
        done, self._rest = whole_blocks(self._rest)
        if done.strip():
            self._settle(_rendered(done))
        if self._rest.strip():
            self._draw(_rendered(self._rest))

    def end(self) -> None:
        if self._thought:
            self._settle(Text(self._thought.strip(), style="dim italic"))
        if self._rest.strip():
            self._settle(_rendered(self._rest))
        self._thought = self._rest = ""

    def _draw(self, what: Markdown | Text) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False, vertical_overflow="ellipsis")
            self._live.start()
        self._live.update(what, refresh=True)

    def _settle(self, what: Markdown | Text) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(what)


def whole_blocks(text: str) -> tuple[str, str]:
    """What an empty line has ended, outside of code, and the rest."""
    end = 0
    for match in _BLOCK_END.finditer(text):
        if len(_FENCE.findall(text[: match.start()])) % 2 == 0:
            end = match.end()
    return text[:end], text[end:]


def _rendered(text: str) -> Markdown:
    return Markdown(text, hyperlinks=False)
