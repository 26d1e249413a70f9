"""The first and last lines of a supervised child process: its socket, its ties to the parent, its last words."""

import ctypes
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from autoglm_phone.core.errors import SetupError
from autoglm_phone.ipc.frames import FrameSocket

# The first byte of each frame from child to parent. Frames from parent to child carry none.
READY: Final = b"\x00"
FAILED: Final = b"\x01"
PAYLOAD: Final = b"\x02"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_log = logging.getLogger(__name__)


class ChildSocket:
    """What a child's main gets: payload frames both ways, and the word that loading is over."""

    def __init__(self, frames: FrameSocket) -> None:
        self._frames = frames
        self.receive = frames.receive
        self.receive_ready = frames.receive_ready
        self.wait = frames.wait

    @property
    def is_closed(self) -> bool:
        return self._frames.is_closed

    def send(self, payload: bytes) -> None:
        self._frames.send(PAYLOAD, payload)

    def send_ready(self) -> None:
        """Loading is done: the parent may send from now on. Payloads sent before arrive before."""
        self._frames.send(READY)

    def send_failed(self, message: str) -> None:
        """Last words: why this process ends."""
        self._frames.send(FAILED, message.encode(errors="replace"))


def run_child(main: Callable[[ChildSocket, bytes], None]) -> NoReturn:
    """Run `main(socket, config)` in a process started by SupervisedProcess; it returns when the parent has closed.

    Ends by os._exit: threads that hang and native destructors that crash must not delay or blur the end.
    """
    fd, parent_pid = int(sys.argv[1]), int(sys.argv[2])
    _die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core of a loaded model is slow to write and holds prompts
    os.set_inheritable(fd, False)
    child = ChildSocket(FrameSocket(socket.socket(fileno=fd)))
    code = 0
    try:
        config = child.receive()
        if config is not None:
            main(child, config)
    except Exception as error:
        code = 1
        if isinstance(error, SetupError):
            _log.error("%s", error)
            _say_failed(child, str(error))
        else:
            _log.exception("%s", _module_name())
            _say_failed(child, f"{type(error).__name__}: {error}")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say_failed(child: ChildSocket, message: str) -> None:
    try:
        child.send_failed(message)
    except OSError:
        _log.warning("the parent has gone before it could be told: %s", message)


def _die_with_parent(parent_pid: int) -> None:
    """Let the kernel kill this process when its parent ends, however that happens; elsewhere EOF must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before the line above
        os._exit(1)


def _module_name() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else "child process"
