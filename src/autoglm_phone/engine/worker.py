"""The life of the engine process after loading: messages in, steps, events out. `assemble` makes what it needs."""

from typing import Protocol, assert_never

from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.engine.messages import Abort, Events, Submit, decode_to_worker, encode


class Channel(Protocol):
    """The process's socket to its parent; ipc.child.ChildSocket is one."""

    @property
    def is_closed(self) -> bool: ...
    def wait(self, timeout_s: float | None = None) -> bool: ...
    def receive_ready(self) -> list[bytes]: ...
    def send(self, payload: bytes) -> None: ...


def serve(channel: Channel, loop: EngineLoop) -> None:
    """Run until the parent closes. A failed step raises: the process ends and its supervisor starts another."""
    while True:
        if not loop.has_work:
            loop.check_invariants()
            channel.wait()
        elif loop.is_held_up:
            channel.wait(GRAMMAR_POLL_S)
        frames = channel.receive_ready()
        for frame in frames:
            _handle(frame, loop)
        if channel.is_closed:
            return
        events = loop.step() if loop.has_work else []
        # Counting cells takes a while, so it is done when a request has come, gone, or been aborted.
        has_changed = bool(frames) or not loop.has_work or any(event.finish for _, event in events)
        if events or has_changed:
            channel.send(encode(Events(events, loop.load() if has_changed else None)))


def _handle(frame: bytes, loop: EngineLoop) -> None:
    message = decode_to_worker(frame)
    match message:
        case Submit():
            loop.submit(message.to_request())
        case Abort():
            loop.abort(message.id)
        case _:
            assert_never(message)
