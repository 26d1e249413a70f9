"""ToolCallParser: splits tool calls from the text around them, however the text is cut.

A call is `<tool_call>{"name": …, "arguments": {…}}</tool_call>`; its arguments are given out as they are written.
Small models leave the tags out: an answer that begins with such an object is a call as well, and so is one behind it.
A block that is no call, whatever is wrong with it, is text like any other, its tags included.
"""

from collections.abc import Collection
from dataclasses import dataclass

from autoglm_phone.text.call_block import CallBlock
from autoglm_phone.text.stop import partial_suffix
from autoglm_phone.text.tool_prompt import CALL, END_CALL


@dataclass(frozen=True)
class ContentPiece:
    text: str


@dataclass(frozen=True)
class CallPiece:
    """Part of call number `index`, from 0: first its name, whole, then more and more of its arguments' JSON text."""

    index: int
    name: str = ""
    arguments: str = ""


class ToolCallParser:
    """names: the tools that were offered; a block that names another is text.

    Blank space between a call and what stands before or behind it belongs to nobody.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._held = ""  # what may yet become a tag, or blank space before one
        self._block: CallBlock | None = None
        self._opening = ""  # of the open block, blank space before it included; content if the block is no call
        self._may_be_bare = True  # nothing was said yet but calls without tags
        self._is_before_end_tag = False  # a call is over, but not its block
        self._was_call_last = False  # nothing but blank space came since
        self._out: list[ContentPiece | CallPiece] = []
        self.num_calls = 0

    def push(self, text: str, *, final: bool = False) -> list[ContentPiece | CallPiece]:
        """What is certain now."""
        self._feed(text)
        if final:
            self._finish()
        out, self._out = self._out, []
        return out

    def _feed(self, text: str) -> None:
        while text:
            text = self._read_block(text) if self._block is not None else self._look_for_tags(text)

    def _look_for_tags(self, text: str) -> str:
        """Give out text up to the next tag; returns what stands behind that."""
        text = self._held + text
        self._held = ""
        if self._may_be_bare and text.lstrip().startswith("{"):
            inside = text.lstrip()
            self._opening, self._block = text[: -len(inside)], CallBlock(self._names)
            return inside
        tags = (END_CALL, CALL) if self._is_before_end_tag else (CALL,)
        at, tag = min(((found, tag) for tag in tags if (found := text.find(tag)) >= 0), default=(-1, ""))
        if tag == CALL:
            said = text[:at].rstrip()
            self._say(said)
            self._opening = text[len(said) : at] + CALL
            self._block, self._is_before_end_tag, self._may_be_bare = CallBlock(self._names), False, False
        elif tag == END_CALL:
            self._is_before_end_tag = False  # what stood before it was part of the block
        elif self._is_before_end_tag:
            self._held = text
        else:
            said = text[: len(text) - partial_suffix(text, CALL)].rstrip()
            self._say(said)
            self._held = text[len(said) :]
        return text[at + len(tag) :] if tag else ""

    def _read_block(self, text: str) -> str:
        block = self._block
        assert block is not None
        had_name = bool(block.name)
        rest = block.push(text)
        if block.name and not had_name:
            self._out.append(CallPiece(self.num_calls, name=block.name))
        self._give_arguments(block, final=False)
        if block.state == "closed":
            self._end_call()
        elif block.state == "no call":
            return self._unmake_block(block) + rest
        return rest

    def _give_arguments(self, block: CallBlock, *, final: bool) -> None:
        if arguments := block.take_arguments(final=final):
            self._out.append(CallPiece(self.num_calls, arguments=arguments))

    def _end_call(self) -> None:
        self._block = None
        self.num_calls += 1
        self._is_before_end_tag, self._was_call_last = not self._may_be_bare, True

    def _unmake_block(self, block: CallBlock) -> str:
        """The opening is content. Returns what stood behind it, where another may be found."""
        self._block, self._may_be_bare = None, False
        self._say(self._opening)
        return block.said

    def _finish(self) -> None:
        while self._block is not None:
            if self._block.name:
                self._give_arguments(self._block, final=True)
                self._end_call()
            else:
                self._feed(self._unmake_block(self._block))
        if not (self._is_before_end_tag and END_CALL.startswith(self._held.strip())):
            self._say(self._held)
        self._held = ""

    def _say(self, text: str) -> None:
        if self._was_call_last:
            text = text.lstrip()
        if text:
            self._was_call_last = self._may_be_bare = False
            self._out.append(ContentPiece(text))
