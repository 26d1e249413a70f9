"""Messages of a conversation to messages of a template: parts, readings of media, tool calls and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from autoglm_phone.chat.media_text import is_chinese, media_text
from autoglm_phone.core.conversation import AudioPart, ImagePart, Message, Part, TextPart
from autoglm_phone.core.module import MediaReading
from autoglm_phone.text.chat_template import TemplateMessage
from autoglm_phone.text.piece import Piece
from autoglm_phone.text.tool_prompt import assistant_calls, tool_results

Readings = Mapping[Part, MediaReading]
"""The reading of each picture and sound of a conversation."""


@dataclass(frozen=True)
class Turn:
    """What the template gets for one message, or for the results of several calls together.

    sources: the messages it is made of. begins: with it a new exchange begins, so before it the window may be cut.
    """

    message: TemplateMessage
    sources: tuple[Message, ...]
    begins: bool


def turns(messages: Sequence[Message], readings: Readings) -> list[Turn]:
    """Pictures and sounds are counted through the dialogue, each kind for itself."""
    numbers: dict[type[Part], int] = {ImagePart: 0, AudioPart: 0}
    made: list[Turn] = []
    for role, run in groupby(messages, key=lambda message: message.role):
        if role == "tool":
            results = tuple(run)
            pieces = tool_results([message_text(result, readings) for result in results])
            # Every template has a place for a user's words, few have one for a tool's.
            made.append(Turn(TemplateMessage("user", pieces), results, begins=False))
            continue
        for index, message in enumerate(run):
            text = message_text(message, readings, numbers)
            pieces = (Piece(text), *assistant_calls(message.tool_calls, is_behind_text=bool(text)))
            made.append(Turn(TemplateMessage(role, pieces), (message,), begins=role == "user" and index == 0))
    return made


def message_text(message: Message, readings: Readings, numbers: dict[type[Part], int] | None = None) -> str:
    """The message as one text: its parts in order, and at the end what is to be said of silent media.

    numbers: how many pictures and sounds came before; counted on here.
    """
    blocks, notes = [], []
    in_chinese = is_chinese(message.parts)
    for part in _question_last(message.parts):
        match part:
            case TextPart():
                blocks.append(part.text)
            case ImagePart() | AudioPart():
                number = 1
                if numbers is not None:
                    number = numbers[type(part)] = numbers[type(part)] + 1
                span = media_text(part, readings[part], number, in_chinese=in_chinese)
                blocks.append(span.before)
                notes.append(span.after)
            case _:
                assert_never(part)
    return "\n\n".join(filter(None, ["\n".join(filter(None, blocks)), *notes]))


def _question_last(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Media that follow all text go in front of it; where text and media alternate the order says something.

    Most clients send the question first. Asked so about a screen, the 0.5B decoder repeats the line that heads the
    screen's words and stops; with the question behind them it answers.
    """
    texts = [part for part in parts if isinstance(part, TextPart)]
    if parts[: len(texts)] == tuple(texts):
        return (*parts[len(texts) :], *texts)
    return parts
