"""Messages of a conversation to messages of a template: parts, readings of media, tool calls and their results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from autoglm_phone.chat.media_spans import PlacedMedium
from autoglm_phone.chat.media_text import MediaPart, is_chinese, media_text
from autoglm_phone.core.conversation import AudioPart, ImagePart, Message, Part, TextPart
from autoglm_phone.core.module import Embeddings, MediaReading
from autoglm_phone.text.chat_template import MediaMark, TemplateMessage
from autoglm_phone.text.piece import PLACE, Piece
from autoglm_phone.text.tool_prompt import assistant_calls, tool_results

Readings = Mapping[Part, MediaReading]
"""The reading of each picture and sound of a conversation."""

MarkOf = Callable[[MediaPart, Embeddings], MediaMark]
"""What stands around a medium that has become embeddings."""


@dataclass(frozen=True)
class Turn:
    """What the template gets for one message, or for the results of several calls together.

    sources: the messages it is made of. begins: with it a new exchange begins, so before it the window may be cut.
    media: what has a place in it, in order.
    """

    message: TemplateMessage
    sources: tuple[Message, ...]
    begins: bool
    media: tuple[PlacedMedium, ...] = ()


def turns(messages: Sequence[Message], readings: Readings, mark_of: MarkOf) -> list[Turn]:
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
            media = tuple(_placed(message, readings, mark_of))
            said = _pieces(message, readings, numbers, mark_of)
            pieces = (*said, *assistant_calls(message.tool_calls, is_behind_text=bool(said)))
            begins = role == "user" and index == 0
            made.append(Turn(TemplateMessage(role, pieces), (message,), begins, media))
    return made


def message_text(message: Message, readings: Readings) -> str:
    """A message without embeddings as one text."""
    return "".join(piece.text for piece in _pieces(message, readings, {ImagePart: 0, AudioPart: 0}, None))


def _placed(message: Message, readings: Readings, mark_of: MarkOf) -> Iterator[PlacedMedium]:
    for part in message.parts:
        if not isinstance(part, TextPart) and isinstance(made := readings[part].reading, Embeddings):
            yield PlacedMedium(made, readings[part], mark_of(part, made).placeholder)


def _pieces(
    message: Message, readings: Readings, numbers: dict[type[Part], int], mark_of: MarkOf | None
) -> tuple[Piece, ...]:
    """The parts of the message in order, and at the end what is to be said of silent media.

    Texts stand on lines of their own; embeddings stand as in the template, right beside the text.
    numbers: how many pictures and sounds came before; counted on here. mark_of None: embeddings are left out.
    """
    pieces: list[Piece] = []
    notes: list[str] = []
    in_chinese = is_chinese(message.parts)
    has_embeddings = any(_is_embedded(part, readings) for part in message.parts)
    for part in message.parts if has_embeddings else _question_last(message.parts):
        text, note = "", ""
        match part:
            case TextPart():
                text = part.text
            case ImagePart() | AudioPart():
                numbers[type(part)] += 1
                reading = readings[part].reading
                if isinstance(reading, Embeddings):
                    pieces += _around_place(mark_of(part, reading)) if mark_of is not None else ()
                    continue
                span = media_text(part, reading, numbers[type(part)], in_chinese=in_chinese)
                text, note = span.before, span.after
            case _:
                assert_never(part)
        if text:
            is_apart = bool(pieces) and not pieces[-1].is_trusted
            pieces.append(Piece("\n" * is_apart + text))
        if note:
            notes.append(note)
    return (*pieces, *(Piece("\n\n" * bool(index or pieces) + note) for index, note in enumerate(notes)))


def _around_place(media: MediaMark) -> tuple[Piece, ...]:
    return Piece(media.mark.before, is_trusted=True), PLACE, Piece(media.mark.behind, is_trusted=True)


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
