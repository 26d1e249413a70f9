"""CallBlock: what stands behind `<tool_call>`, letter by letter, until it is a whole call or can be none."""

import json
import re
from collections.abc import Collection
from typing import Literal

State = Literal["open", "closed", "no call"]
"""closed: the call is over, though more may stand before its closing tag."""

Place = Literal["start", "key or end", "key", "in key", "colon", "value", "in value", "next"]

_BLANK = " \t\r\n"
_SCALAR = re.compile(r"[-+.0-9A-Za-z]")
_NESTED = re.compile(r'[-+.0-9A-Za-z \t\r\n{}\[\],:"]')  # what JSON has outside its strings


class CallBlock:
    """`{"name": …, "arguments": {…}}`, in either order; `parameters` is understood as `arguments`.

    Arguments are the text as it was written; only their brackets and quotes are looked at. A string that holds an
    object stands for that object, since some models encode twice.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.said = ""
        self.state: State = "open"
        self.name = ""
        self._place: Place = "start"
        self._at = 0  # what comes next, in said
        self._start = 0  # of the key or value that is being read
        self._key = ""
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._arguments: tuple[int, int | None] | None = None  # where they begin and end in said
        self._has_none = False
        self._num_given = 0

    def push(self, text: str) -> str:
        """Read on; returns what was not read because the block is over."""
        self.said += text
        while self._at < len(self.said) and self.state == "open":
            # A character that only ends what stands before it is read again in the next place.
            self._at += self._read(self.said[self._at])
        rest, self.said = self.said[self._at :], self.said[: self._at]
        return rest

    def take_arguments(self, *, final: bool = False) -> str:
        """What is certain of the arguments and was not given out yet."""
        if not self.name or self._arguments is None:
            return "{}" if self._has_none else ""
        begin, end = self._arguments
        if self.said[begin] != "{" and end is None and not final:
            return ""
        if self.said[begin] == '"':
            whole = _unwrapped(self.said[begin:end], is_complete=end is not None)
            begin, end = 0, len(whole)
        else:
            whole = self.said
        given = begin + self._num_given
        text = whole[given:end]
        self._num_given += len(text)
        return text

    def _read(self, char: str) -> bool:
        """Take a character in, or only look at it."""
        if self._place == "in value":
            return self._read_value(char)
        if self._place == "in key":
            if self._ends_string(char):
                self._key, self._place = _decoded(self.said[self._start : self._at + 1]) or "", "colon"
            return True
        if char in _BLANK:
            return True
        match self._place, char:
            case "start", "{":
                self._place = "key or end"
            case (("key or end" | "key"), '"'):
                self._place, self._start, self._in_string = "in key", self._at, True
            case "colon", ":":
                self._place = "value"
            case "value", _ if char in '{["' or _SCALAR.match(char):
                self._begin_value()
                return False
            case "next", ",":
                self._place = "key"
            case (("key or end" | "next"), "}"):
                self._close()
            case _:
                return self._fail()
        return True

    def _begin_value(self) -> None:
        self._place, self._start = "in value", self._at
        if self._key in ("arguments", "parameters") and self._arguments is None:
            self._arguments = (self._at, None)

    def _read_value(self, char: str) -> bool:
        is_first = self._at == self._start
        if self._in_string:
            is_last = self._ends_string(char) and not self._depth
        elif not is_first and not self._depth and not _SCALAR.match(char):
            self._end_value(self._at)
            return False
        elif not _NESTED.match(char):
            return self._fail()
        else:
            self._in_string = char == '"'
            self._depth += (char in "{[") - (char in "}]")
            is_last = char in "}]" and not self._depth
        if is_last:
            self._end_value(self._at + 1)
        return True

    def _ends_string(self, char: str) -> bool:
        if char == '"' and not self._is_escaped:
            self._in_string = False
            return True
        self._is_escaped = char == "\\" and not self._is_escaped
        return False

    def _end_value(self, end: int) -> None:
        self._place = "next"
        if self._arguments == (self._start, None):
            self._arguments = (self._start, end)
        if self._key == "name" and not self.name:
            self.name = _decoded(self.said[self._start : end]) or ""
            if self.name not in self._names:
                self.name, self.state = "", "no call"

    def _close(self) -> None:
        self.state = "closed" if self.name else "no call"
        self._has_none = bool(self.name) and self._arguments is None

    def _fail(self) -> bool:
        """Once its name was read the call stays one, with what it has."""
        self.state = "closed" if self.name else "no call"
        return False


def _decoded(raw: str) -> str | None:
    """The string that a JSON text is, or None if it is none."""
    try:
        value = json.loads(raw, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _unwrapped(raw: str, *, is_complete: bool) -> str:
    """The object that a JSON string holds, as far as it goes; the string itself if it holds none."""
    # Cut off within an escape, it is readable up to there.
    texts = [raw] if is_complete else [raw[: len(raw) - cut] + '"' for cut in range(min(6, len(raw)))]
    inner = next((text for text in map(_decoded, texts) if text is not None), "")
    return inner if inner.lstrip().startswith("{") else raw
