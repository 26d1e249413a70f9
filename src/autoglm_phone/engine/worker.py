"""The life of the engine process after loading: messages in, steps, events out. `assemble` makes what it needs."""

from typing import Protocol, assert_never

from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.engine.messages import Abort, Events, Media, Submit, decode_to_worker, encode


class Channel(Protocol):
    """The process's socket to its parent; ipc.child.ChildSocket is one."""

    @property
    def is_closed(self) -> bool: ...
    def wait(self, timeout_s: float | None = None) -> bool: ...
    def receive_ready(self) -> list[bytes]: ...
    def send(self, payload: bytes) -> None: ...


def serve(channel: Channel, loop: EngineLoop) -> None:
    """Run until the parent closes. A failed step raises: the process ends and its supervisor starts another."""
    inbox = _Inbox(loop)
    while True:
        if not loop.has_work:
            loop.check_invariants()
            channel.wait()
        elif loop.is_held_up:
            channel.wait(GRAMMAR_POLL_S)
        frames = channel.receive_ready()
        for frame in frames:
            inbox.take(frame)
        if channel.is_closed:
            return
        events = loop.step() if loop.has_work else []
        # Counting cells takes a while, so it is done when a request has come, gone, or been aborted.
        has_changed = bool(frames) or not loop.has_work or any(event.finish for _, event in events)
        if events or has_changed:
            channel.send(encode(Events(events, loop.load() if has_changed else None)))


class _Inbox:
    """Puts requests together with their embeddings, which come right before them."""

    def __init__(self, loop: EngineLoop) -> None:
        self._loop = loop
        self._media: list[Media] = []

    def take(self, frame: bytes) -> None:
        message = decode_to_worker(frame)
        # What another request's are left of was never submitted: the door could not send all of it.
        self._media = [one for one in self._media if one.id == message.id]
        match message:
            case Media():
                self._media.append(message)
            case Submit():
                media, self._media = self._media, []
                self._loop.submit(message.to_request(tuple(one.to_span() for one in media)))
            case Abort():
                self._loop.abort(message.id)
            case _:
                assert_never(message)
