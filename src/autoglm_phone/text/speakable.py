"""An answer to what is read aloud of it: words without their Markdown; code and tables are not spoken."""

import re

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE)
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}\s+|>\s?|[-*+]\s+)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_ADDRESS = re.compile(r"https?://\S+")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_EMPHASIS = re.compile(r"(\*\*|__|~~|\*|`)(?=\S)(.+?)(?<=\S)\1")
_SPACE = re.compile(r"[ \t]+")


def speakable(text: str) -> str:
    """Empty where nothing of it can be said."""
    for what in (_FENCE, _TABLE_ROW, _RULE, _LINE_MARK):
        text = what.sub("", text)
    text = _LINK.sub(r"\1", text)
    for what in (_ADDRESS, _TAG):
        text = what.sub("", text)
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))
    text = _SPACE.sub(" ", text).strip()
    return text if any(character.isalnum() for character in text) else ""
