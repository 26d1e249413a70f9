"""Regular expressions as clients write them, in the syntax of Rust's regex, which llguidance reads.

JSON Schema means ECMA-262, many validators read Python's `re`, and Rust's syntax is a third one. What comes out matches
only what the first two both match; what they understand differently, or what has no end, is refused.
"""

import re
from dataclasses import dataclass

MAX_CHARS = 4_000
# A matcher grows with the pattern written out, its counted groups repeated: 2,000 optional letters take 50 MB and
# 20,000 take 1.5 GB; (a{1000}){1000} takes a second a token.
MAX_WEIGHT = 2_000
MAX_COUNT = 10_000

# Each class as the least and the most of what ECMA-262 and Python mean by it.
_SPACES = r"\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_LEAST = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r \u00a0" + _SPACES}
_MOST = {"d": r"\p{Nd}", "w": r"\p{L}\p{M}\p{N}\p{Pc}", "s": r"\t-\r\x1c-\x20\u0085\u00a0\ufeff" + _SPACES}
_ANY = r"[^\n\r\u2028\u2029]"
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~")
_PROPERTY = re.compile(r"\\[pP](?:[A-Z]|\{[A-Za-z_]+(?:=[A-Za-z_]+)?\})")
_CODE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\})")
_COUNT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_][A-Za-z0-9_]*>|(?!\?))")
_WRITABLE = ((0x08, 0x0A), (0x0C, 0x0D), (0x20, 0x7E), (0x80, 0xD7FF), (0xE000, 0x10FFFF))


class PatternError(ValueError):
    """What is wrong, in words that go on from "the pattern"."""


def to_rust(pattern: str) -> str:
    """Raises PatternError where the pattern cannot be kept to, or costs too much."""
    if len(pattern) > MAX_CHARS:
        raise PatternError(f"has {len(pattern)} characters, the limit is {MAX_CHARS}; shorten it")
    if any("\ud800" <= char <= "\udfff" for char in pattern):
        raise PatternError("holds half of a surrogate pair")
    return _Translator(pattern).translated()


def is_writable(char: str) -> bool:
    """Has it a place in a JSON string without an escape by number? Ours are written without those."""
    return any(low <= ord(char) <= high for low, high in _WRITABLE)


@dataclass(frozen=True)
class _Part:
    """weight: how many letters, classes and anchors it is when written out."""

    text: str
    weight: int
    is_atom: bool = False
    can_repeat: bool = True


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def translated(self) -> str:
        open_groups: list[list[_Part]] = []  # a stack of our own: brackets may be nested deeply
        parts: list[_Part] = []
        while self._at < len(self._pattern):
            match self._pattern[self._at]:
                case "(":
                    self._open_group()
                    open_groups.append(parts)
                    parts = []
                case ")":
                    if not open_groups:
                        raise PatternError("has a closing bracket too many")
                    self._at += 1
                    group = _Part("(?:" + _text(parts) + ")", _weight(parts))
                    parts = open_groups.pop()
                    parts.append(self._repeated(group))
                case _:
                    parts.append(self._repeated(self._one()))
        if open_groups:
            raise PatternError("has an opening bracket too many")
        if _weight(parts) > MAX_WEIGHT:
            raise PatternError(
                f"stands for {_weight(parts)} letters when its repetitions are written out, the limit is {MAX_WEIGHT}; "
                "lower its counts"
            )
        return _text(parts)

    def _open_group(self) -> None:
        if found := _GROUP.match(self._pattern, self._at):
            self._at = found.end()
            return
        start = self._pattern[self._at : self._at + 4]
        if start.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            raise PatternError(f"looks ahead or behind with {start!r}, which is not supported")
        if start.startswith("(?P="):
            raise PatternError("refers back to a group, which is not supported")
        raise PatternError(f"has a group that begins with {start!r}, which is not supported; flags are not either")

    def _one(self) -> _Part:
        """What stands here, without its quantifier."""
        char = self._pattern[self._at]
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escaped_part()
        if char in "*+?" or _COUNT.match(self._pattern, self._at):
            raise PatternError(f"repeats nothing at character {self._at}")
        if self._pattern.startswith("{,", self._at):
            raise PatternError("has '{,', which is read in two ways; write '{0,' or '\\{,'")
        self._at += 1
        match char:
            case "^" | "$" | "|":
                return _Part(char, 0, can_repeat=False)
            case ".":
                return _Part(_ANY, 1, is_atom=True)
        return _letter(char)

    def _repeated(self, part: _Part) -> _Part:
        """The part with the quantifier that follows it, if one does."""
        counted = _COUNT.match(self._pattern, self._at)
        if counted:
            self._at = counted.end()
            quantifier = counted.group()
            count = max(int(counted[1]), int(counted[3] or 0))
        elif self._pattern[self._at : self._at + 1] in ("*", "+", "?"):
            quantifier = self._pattern[self._at]
            self._at += 1
            count = 1
        else:
            return part
        if not part.can_repeat:
            raise PatternError(f"repeats {part.text!r}")
        if count > MAX_COUNT:
            raise PatternError(f"repeats something {count} times, the limit is {MAX_COUNT}")
        if self._pattern.startswith("?", self._at):
            self._at += 1  # lazy or greedy, it matches the same texts
        if self._pattern.startswith(("*", "+", "?"), self._at) or _COUNT.match(self._pattern, self._at):
            raise PatternError(f"repeats a repetition at character {self._at}; put it into brackets")
        # Counting one letter is cheap, counting a group is not.
        weight = 1 + count // 10 if part.is_atom else part.weight * max(count, 1)
        return _Part(part.text + quantifier, weight)

    def _escaped_part(self) -> _Part:
        start = self._at
        escaped = self._escape()
        if escaped is None:
            name = self._pattern[start : self._at]
            return _Part(name if _PROPERTY.fullmatch(name) else f"[{_class_of(name[1], False)}]", 1, is_atom=True)
        return _letter(escaped)

    def _escape(self) -> str | None:
        """The letter that an escape stands for, or None for a class of letters."""
        for expression in (_PROPERTY, _CODE):
            if found := expression.match(self._pattern, self._at):
                self._at = found.end()
                return _coded(found) if expression is _CODE else None
        letter = self._pattern[self._at + 1 : self._at + 2]
        self._at += 2
        if letter in ("d", "D", "w", "W", "s", "S"):
            return None
        if letter in _LETTERS:
            return _LETTERS[letter]
        if not letter:
            raise PatternError("ends with a backslash")
        if letter in "123456789k":
            raise PatternError("refers back to a group, which is not supported")
        if letter in "bB":
            raise PatternError(f"has a word boundary, '\\{letter}', which is not supported")
        if letter.isascii() and letter.isalnum():
            raise PatternError(f"has the escape '\\{letter}', which is not supported")
        return letter

    def _class(self) -> _Part:
        self._at += 1
        is_negated = self._pattern.startswith("^", self._at)
        self._at += is_negated
        if self._pattern.startswith("]", self._at):
            raise PatternError("has '[]' or '[^]', which is read in two ways; write '[\\]a]' or '[\\s\\S]'")
        items: list[str] = []
        while not self._pattern.startswith("]", self._at):
            items.append(self._class_item(is_negated))
        self._at += 1
        if not any(items):
            raise PatternError("has a class of control characters only, which are never written")
        return _Part("[" + "^" * is_negated + "".join(items) + "]", 1, is_atom=True)

    def _class_item(self, is_negated: bool) -> str:
        start = self._at
        low = self._class_letter()
        if low is None:
            name = self._pattern[start : self._at]
            return name if _PROPERTY.fullmatch(name) else _class_of(name[1], is_negated)
        high = low
        if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at):
            behind = self._at
            self._at += 1
            found = self._class_letter()
            if found is None:
                self._at = behind  # a hyphen before a class is a hyphen
            else:
                high = found
        if low > high:
            raise PatternError(f"has a range from {low!r} back to {high!r}")
        return _range(low, high) if is_negated else "".join(_writable_ranges(low, high))

    def _class_letter(self) -> str | None:
        if self._at >= len(self._pattern):
            raise PatternError("has a class that is not closed")
        if self._pattern.startswith("\\b", self._at):
            self._at += 2
            return "\b"
        if self._pattern[self._at] == "\\":
            return self._escape()
        self._at += 1
        return self._pattern[self._at - 1]


def _class_of(letter: str, is_negated: bool) -> str:
    """What stands in a class for `\\d` and its like, so that the whole class holds the least."""
    is_complement = letter.isupper()
    inner = (_MOST if is_negated != is_complement else _LEAST)[letter.lower()]
    return f"[^{inner}]" if is_complement else inner


def _letter(char: str) -> _Part:
    if not is_writable(char):
        raise PatternError(f"wants the control character {char!r}, which is never written")
    return _Part(_quoted(char), 1, is_atom=True)


def _quoted(char: str) -> str:
    if char in _SPECIAL:
        return f"\\{char}"
    return char if is_writable(char) and char >= " " else f"\\x{ord(char):02x}"


def _range(low: str, high: str) -> str:
    return _quoted(low) if low == high else f"{_quoted(low)}-{_quoted(high)}"


def _writable_ranges(low: str, high: str) -> list[str]:
    cut = ((max(ord(low), first), min(ord(high), last)) for first, last in _WRITABLE)
    return [_range(chr(first), chr(last)) for first, last in cut if first <= last]


def _coded(found: re.Match[str]) -> str:
    code = int(found[1] or found[2] or found[3], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise PatternError(f"has {found.group()}, which is no character; write characters as they are")
    return chr(code)


def _text(parts: list[_Part]) -> str:
    return "".join(part.text for part in parts)


def _weight(parts: list[_Part]) -> int:
    return sum(part.weight for part in parts)
