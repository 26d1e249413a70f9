"""Inside the voice process: one thread receives, the other speaks, a text at a time, a piece of each in turns."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import RequestError
from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.core.voice import SpeakingOptions, Voice
from autoglm_phone.ipc.child import ChildSocket
from autoglm_phone.speaking.messages import (
    Began,
    Failed,
    FromVoice,
    Ready,
    Refused,
    Said,
    Speak,
    SpeechId,
    Spoken,
    ToVoice,
    decode_to_voice,
    encode,
)

_log = logging.getLogger(__name__)


class Speaker(Protocol):
    """Blocking; what is not asked of the iterator is not computed."""

    voices: tuple[Voice, ...]

    def speak(self, text: str, options: SpeakingOptions) -> Iterator[NDArray[np.int16]]: ...


@dataclass(frozen=True, eq=False)
class _Speech:
    id: SpeechId
    pieces: Iterator[NDArray[np.int16]]


def serve(child: ChildSocket, speaker: Speaker, info: ModuleInfo) -> None:
    """Speak what is asked for until the door closes."""

    def send(message: FromVoice) -> None:
        child.send(encode(message))

    send(Ready(info, speaker.voices))
    child.send_ready()
    inbox: SimpleQueue[ToVoice | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(child, inbox), name="receive", daemon=True).start()
    speeches: deque[_Speech] = deque()
    while True:
        while not speeches or not inbox.empty():
            message = inbox.get()
            if message is None:
                return
            if isinstance(message, Speak):
                speeches.append(_Speech(message.id, speaker.speak(message.text, message.options)))
            else:
                speeches = deque(one for one in speeches if one.id != message.id)
        speech = speeches.popleft()
        send(Began())
        answer = _next(speech)
        send(answer)
        if isinstance(answer, Spoken):
            speeches.append(speech)  # behind the others: a long text does not keep a short one waiting


def _next(speech: _Speech) -> Spoken | Said | Refused | Failed:
    try:
        piece = next(speech.pieces, None)
    except RequestError as error:
        return Refused(speech.id, error.message, error.param)
    except Exception as error:  # the edge of a text: this one fails, the others go on
        _log.exception("a text could not be spoken")
        return Failed(speech.id, f"{type(error).__name__}: {error}")
    return Said(speech.id) if piece is None else Spoken(speech.id, piece.astype("<i2").tobytes())


def _receive(child: ChildSocket, inbox: "SimpleQueue[ToVoice | None]") -> None:
    try:
        while (frame := child.receive()) is not None:
            inbox.put(decode_to_voice(frame))
    except Exception:
        _log.exception("the voice process cannot receive any more and ends")
    finally:
        inbox.put(None)
