"""A stream of text to sentences, as soon as each is complete: what a voice can begin with."""

import re

# Behind a mark of the end with the quotes and brackets that close there, if a space or a Chinese character follows.
_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？；…]+[”’」』）]*|\n+)\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|vs|prof|e\.g|i\.e|no)|\b[A-Za-z]|^\s*\d+)\.\s*$", re.IGNORECASE)
# What is longer is cut behind a comma or a space, so that a text without any marks is spoken, too.
_LONG_CHARS = 200
_CLAUSE = re.compile(r"[,;:，、：]\s*")


class SentenceSplitter:
    """However the text is cut, the sentences are the same; joined, they are the text."""

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str, final: bool = False) -> list[str]:
        self._held += text
        sentences: list[str] = []
        while (end := self._end_of_first()) is not None:
            sentences.append(self._held[:end])
            self._held = self._held[end:]
        if final and self._held:
            sentences.append(self._held)
            self._held = ""
        return sentences

    def _end_of_first(self) -> int | None:
        for match in _END.finditer(self._held):
            # more space or marks may follow, which belong to this sentence
            if match.end() == len(self._held):
                break
            if self._held[: match.start()].strip() and not _ABBREVIATION.search(self._held[: match.end()]):
                return min(match.end(), self._long_end() or match.end())
        return self._long_end()

    def _long_end(self) -> int | None:
        if len(self._held) <= _LONG_CHARS:
            return None
        clauses = [match.end() for match in _CLAUSE.finditer(self._held, 0, _LONG_CHARS)]
        return clauses[-1] if clauses else self._held.rfind(" ", 0, _LONG_CHARS) + 1 or _LONG_CHARS
