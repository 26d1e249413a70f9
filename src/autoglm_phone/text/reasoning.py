"""ReasoningParser: splits a thought from the answer, tag by tag, however the text is cut.

Knows `<think>…</think>` and AutoGLM's `<answer>…</answer>`, whose tags are left out. A thought that is never closed
is reasoning to its end; a stray closing tag is dropped.
"""

from dataclasses import dataclass

from autoglm_phone.text.stop import partial_suffix

THINK, END_THINK, ANSWER, END_ANSWER = "<think>", "</think>", "<answer>", "</answer>"
_TAGS = (THINK, END_THINK, ANSWER, END_ANSWER)


@dataclass(frozen=True)
class Split:
    reasoning: str
    content: str


class ReasoningParser:
    """starts_inside: the prompt has opened the thought already."""

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._is_thinking = starts_inside
        self._held = ""
        self._is_at_start = {True: True, False: False}  # blank space after a tag is not part of a text

    @property
    def is_thinking(self) -> bool:
        return self._is_thinking

    def push(self, text: str, *, final: bool = False) -> Split:
        self._held += text
        reasoning: list[str] = []
        content: list[str] = []
        while True:
            at, tag = min(((found, t) for t in _TAGS if (found := self._held.find(t)) >= 0), default=(-1, ""))
            if at < 0:
                break
            (reasoning if self._is_thinking else content).append(self._clean(self._held[:at]))
            self._held = self._held[at + len(tag) :]
            self._is_thinking = tag == THINK
            self._is_at_start[self._is_thinking] = True
        keep = 0 if final else max(partial_suffix(self._held, tag) for tag in _TAGS)
        given, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        (reasoning if self._is_thinking else content).append(self._clean(given))
        return Split("".join(reasoning), "".join(content))

    def _clean(self, text: str) -> str:
        if self._is_at_start[self._is_thinking]:
            text = text.lstrip()
        if text:
            self._is_at_start[self._is_thinking] = False
        return text
