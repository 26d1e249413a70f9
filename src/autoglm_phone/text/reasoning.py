"""ReasoningParser: splits a thought from the answer, tag by tag, however the text is cut.

Knows `<think>…</think>` and AutoGLM's `<answer>…</answer>`, whose tags are left out. Tags count only where a model
writes them: before its answer and around it. In the midst of an answer they are its words, as when it explains them.
A thought that is never closed is reasoning to its end.
"""

from dataclasses import dataclass
from typing import Literal

from autoglm_phone.text.stop import partial_suffix

THINK, END_THINK, ANSWER, END_ANSWER = "<think>", "</think>", "<answer>", "</answer>"
TAGS = (THINK, END_THINK, ANSWER, END_ANSWER)

Place = Literal["start", "thought", "between", "answer", "text"]
"""start: nothing was said yet; between: behind a tag that ends something; text: no tag counts any more."""

_WHERE_TO: dict[str, Place] = {THINK: "thought", END_THINK: "between", ANSWER: "answer", END_ANSWER: "between"}


@dataclass(frozen=True)
class Split:
    reasoning: str
    content: str


class ReasoningParser:
    """starts_inside: the prompt has opened the thought already."""

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._place: Place = "thought" if starts_inside else "start"
        self._held = ""
        self._is_blank_so_far = True  # in this place; blank space behind a tag is not part of a text

    @property
    def is_thinking(self) -> bool:
        return self._place == "thought"

    def push(self, text: str, *, final: bool = False) -> Split:
        self._held += text
        said: dict[bool, list[str]] = {True: [], False: []}  # by whether it is reasoning
        while self._take(said, final=final):
            pass
        return Split("".join(said[True]), "".join(said[False]))

    def _take(self, said: dict[bool, list[str]], *, final: bool) -> bool:
        """Give out what is certain, up to the next tag. Is there more to take?"""
        match self._place:
            case "start" | "between":
                return self._look_for_what_follows(said, final=final)
            case "thought":
                return self._up_to((THINK, END_THINK, ANSWER), said, final=final)
            case "answer":
                return self._up_to((END_ANSWER,), said, final=final)
            case "text":
                said[False].append(self._held)
                self._held = ""
                return False

    def _look_for_what_follows(self, said: dict[bool, list[str]], *, final: bool) -> bool:
        following = self._held.lstrip()
        for tag in TAGS:
            if following.startswith(tag):
                self._enter(_WHERE_TO[tag], following[len(tag) :])
                return True
        if not final and any(tag.startswith(following) for tag in TAGS):
            return False  # nothing but blank space yet, or the beginning of a tag
        # What a model says first is given as it is; behind a tag the blank space belongs to the tag.
        self._enter("text", self._held if self._place == "start" else following)
        return True

    def _up_to(self, tags: tuple[str, ...], said: dict[bool, list[str]], *, final: bool) -> bool:
        at, tag = min(((found, tag) for tag in tags if (found := self._held.find(tag)) >= 0), default=(-1, ""))
        keep = 0 if final else max(partial_suffix(self._held, tag) for tag in tags)
        end = at if tag else len(self._held) - keep
        text, rest = self._held[:end], self._held[end + len(tag) :]
        if self._is_blank_so_far:
            text = text.lstrip()
            self._is_blank_so_far = not text
        said[self.is_thinking].append(text)
        if tag:
            self._enter(_WHERE_TO[tag], rest)
        else:
            self._held = rest
        return bool(tag)

    def _enter(self, place: Place, rest: str) -> None:
        self._place, self._held, self._is_blank_so_far = place, rest, True
