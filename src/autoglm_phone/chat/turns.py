"""Messages of a conversation to messages of a template: parts, readings of media, tool calls and their results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from autoglm_phone.chat.media_text import is_chinese, media_text
from autoglm_phone.core.conversation import AudioPart, ImagePart, Message, Part, TextPart
from autoglm_phone.core.module import Embeddings, MediaReading
from autoglm_phone.text.chat_template import TemplateMessage
from autoglm_phone.text.piece import Piece
from autoglm_phone.text.tool_prompt import assistant_calls, tool_results

Readings = Mapping[Part, MediaReading]
"""The reading of each picture and sound of a conversation."""


@dataclass(frozen=True)
class Turn:
    """What the template gets for one message, or for the results of several calls together.

    sources: the messages it is made of. begins: with it a new exchange begins, so before it the window may be cut.
    media: what has a placeholder in it, in order.
    """

    message: TemplateMessage
    sources: tuple[Message, ...]
    begins: bool
    media: tuple[MediaReading, ...] = ()


def turns(messages: Sequence[Message], readings: Readings, picture: str = "") -> list[Turn]:
    """Pictures and sounds are counted through the dialogue, each kind for itself.

    picture: what the template writes for one that has become embeddings.
    """
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
            said = _pieces(message, readings, picture, numbers)
            pieces = (*said, *assistant_calls(message.tool_calls, is_behind_text=bool(said)))
            media = tuple(readings[part] for part in message.parts if _is_embedded(part, readings))
            begins = role == "user" and index == 0
            made.append(Turn(TemplateMessage(role, pieces), (message,), begins, media))
    return made


def message_text(message: Message, readings: Readings) -> str:
    """A message without embeddings as one text."""
    return "".join(piece.text for piece in _pieces(message, readings, "", {ImagePart: 0, AudioPart: 0}))


def _pieces(message: Message, readings: Readings, picture: str, numbers: dict[type[Part], int]) -> tuple[Piece, ...]:
    """The parts of the message in order, and at the end what is to be said of silent media.

    Texts stand on lines of their own; a picture's embeddings stand as in the template, right beside the text.
    numbers: how many pictures and sounds came before; counted on here.
    """
    pieces: list[Piece] = []
    notes: list[str] = []
    for part, text, note in _texts(message, readings, picture, numbers):
        is_apart = bool(pieces) and not pieces[-1].is_trusted and not _is_embedded(part, readings)
        if text:
            pieces.append(Piece("\n" * is_apart + text, is_trusted=_is_embedded(part, readings)))
        if note:
            notes.append(note)
    return (*pieces, *(Piece("\n\n" * bool(index or pieces) + note) for index, note in enumerate(notes)))


def _texts(
    message: Message, readings: Readings, picture: str, numbers: dict[type[Part], int]
) -> Iterator[tuple[Part, str, str]]:
    """Each part with what stands in its place and at the end of the message."""
    in_chinese = is_chinese(message.parts)
    has_embeddings = any(_is_embedded(part, readings) for part in message.parts)
    for part in message.parts if has_embeddings else _question_last(message.parts):
        match part:
            case TextPart():
                yield part, part.text, ""
            case ImagePart() | AudioPart():
                numbers[type(part)] += 1
                reading = readings[part].reading
                if isinstance(reading, Embeddings):
                    yield part, picture, ""
                else:
                    span = media_text(part, reading, numbers[type(part)], in_chinese=in_chinese)
                    yield part, span.before, span.after
            case _:
                assert_never(part)


def _is_embedded(part: Part, readings: Readings) -> bool:
    return part in readings and isinstance(readings[part].reading, Embeddings)


def _question_last(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Media that follow all text go in front of it; where text and media alternate the order says something.

    Most clients send the question first. Asked so about a screen, the 0.5B decoder repeats the line that heads the
    screen's words and stops; with the question behind them it answers. Embeddings stay where they are sent: models
    that take them were trained on both orders.
    """
    texts = [part for part in parts if isinstance(part, TextPart)]
    if parts[: len(texts)] == tuple(texts):
        return (*parts[len(texts) :], *texts)
    return parts
