"""A child process that is kept alive: started, watched, restarted, ended; knows nothing of what is sent.

Lives on the event loop of its owner. Engine and media processes are built on it.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from autoglm_phone.core.errors import Overloaded, WorkerDied
from autoglm_phone.ipc.child import FAILED, PAYLOAD, READY
from autoglm_phone.ipc.frames import FrameDecoder, encode_frame

ProcessState = Literal["stopped", "loading", "ready", "failed"]

# What a child needs from our environment. The rest stays here: it may hold keys, and the child reads hostile bytes.
_INHERITED_VARIABLES = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")
_INHERITED_PREFIXES = ("LC_", "LD_", "PYTHON", "XDG_", "CUDA_", "NVIDIA_")

_CHUNK_BYTES = 1 << 18
_REAP_TICK_S = 0.001
_REAP_TICKS = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next start.

    A life is short if it ended before `stable_s` seconds of being ready. The first restart is immediate; after
    more short lives in a row the wait grows from first_s by `factor` up to max_s.
    """

    first_s: float = 0.5
    factor: float = 2.0
    max_s: float = 30.0
    stable_s: float = 10.0

    def delay_s(self, short_lives: int) -> float:
        if short_lives <= 1:
            return 0.0
        # the exponent is bounded so that a week of failures does not overflow a float
        return float(min(self.max_s, self.first_s * self.factor ** min(short_lives - 2, 64)))


@dataclass(frozen=True)
class ProcessOptions:
    """env is added to the few variables a child inherits; nice lowers its priority (0 to 19)."""

    env: Mapping[str, str] | None = None
    nice: int = 0
    ready_timeout_s: float = 120.0
    max_buffered_bytes: int = 256 << 20
    backoff: Backoff = Backoff()


class SupervisedProcess:
    """Runs `python -m module`, whose main is `ipc.child.run_child`, and starts it again when it dies.

    on_up     the child has said that it is ready; `send` works from now on
    on_frame  a payload came; it may come before on_up
    on_down   this life is over and why; once a life, at once, before the next start
    All of them are called on the event loop, must not block, and must not raise.
    """

    def __init__(
        self,
        name: str,
        module: str,
        config: bytes,
        *,
        on_frame: Callable[[bytes], None],
        on_down: Callable[[str], None],
        on_up: Callable[[], None] | None = None,
        options: ProcessOptions | None = None,
    ) -> None:
        self.name = name
        self.state: ProcessState = "stopped"
        self.last_error = ""
        self.restarts = 0
        self._module = module
        self._config = config
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._options = options or ProcessOptions()
        self._supervisor: asyncio.Task[None] | None = None
        self._stop_asked = asyncio.Event()
        self._has_been_up = asyncio.Event()
        self._popen: subprocess.Popen[bytes] | None = None
        self._launched: socket.socket | None = None  # our end, of a child that the supervisor has not taken over yet
        self._writer: asyncio.StreamWriter | None = None
        self._reason = ""  # why we ended this life ourselves, or the child's last words
        self._ready_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen is not None else None

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"

    def launch(self) -> None:
        """Start the child before there is an event loop, so that it loads meanwhile; `start` takes it over.

        Call it from the thread that will run the loop. It ends with this process if `start` is never called.
        """
        with contextlib.suppress(OSError):  # the supervisor will meet it again, and knows what to do about it
            self._launched = self._start_child()
            self._launched.sendall(encode_frame(self._config))  # a few kB, which the socket holds until they are read

    async def start(self) -> None:
        """Begin to supervise; `wait_until_ready` tells when the child is. Does nothing if already started."""
        if self._supervisor is None:
            self._stop_asked.clear()
            self.state = "loading"
            self._supervisor = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")

    async def wait_until_ready(self) -> None:
        """Until the child has been ready for the first time."""
        await self._has_been_up.wait()

    async def stop(self, grace_s: float = 2.0) -> None:
        """End the child, SIGTERM first, SIGKILL after grace_s, and wait for it. May be called at any time."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        self._stop_asked.set()
        self._signal(signal.SIGTERM, "stopped")
        try:
            await asyncio.wait({supervisor}, timeout=grace_s)
        finally:
            self._signal(signal.SIGKILL, "stopped")
        await asyncio.wait({supervisor})
        if not supervisor.cancelled():
            supervisor.result()

    def kill(self, reason: str) -> None:
        """End this life now, for `reason`; the next one follows as after any death."""
        self._signal(signal.SIGKILL, reason)

    def send(self, frame: bytes) -> None:
        """Queue one frame for the child. Raises WorkerDied if it is not up, Overloaded if it does not read."""
        if self._writer is None or not self.is_ready:
            raise WorkerDied(f"the {self.name} process is not running ({self.state})")
        buffered = self._writer.transport.get_write_buffer_size()
        if buffered and buffered + len(frame) > self._options.max_buffered_bytes:
            raise Overloaded(f"the {self.name} process has {buffered} bytes still to read; try again")
        self._writer.write(encode_frame(frame))

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        short_lives = 0
        try:
            while not self._stop_asked.is_set():
                self.state = "loading"
                self._reason, self._ready_at = "", None
                reason = await self._live()
                if self._stop_asked.is_set():
                    return
                was_ready = self._ready_at is not None
                is_stable = (
                    self._ready_at is not None and loop.time() - self._ready_at >= self._options.backoff.stable_s
                )
                short_lives = 1 if is_stable else short_lives + 1
                delay_s = self._options.backoff.delay_s(short_lives)
                self.state = "loading" if was_ready and not delay_s else "failed"
                self.restarts += 1
                _log.error("the %s process is down: %s; starting it again in %.1f s", self.name, reason, delay_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop_asked.wait(), delay_s)
        finally:
            self.state = "stopped"

    async def _live(self) -> str:
        """One life, from start to on_down. Returns why it ended."""
        reason = "stopped"
        try:
            reader = await self._spawn()
            await self._read_until_end(reader)
            reason = await self._reap()
        except OSError as error:  # no process, no memory, no file descriptors
            reason = f"cannot start: {error}"
        finally:
            self._clean_up()
            self.state = "stopped" if self._stop_asked.is_set() else "failed"
            if not self._stop_asked.is_set():
                self.last_error = reason
            self._tell(partial(self._on_down, reason))
        return reason

    async def _spawn(self) -> asyncio.StreamReader:
        is_launched = self._launched is not None
        ours, self._launched = self._launched or self._start_child(), None
        try:
            reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=4 * _CHUNK_BYTES)
        except BaseException:
            ours.close()
            raise
        if not is_launched:
            self._writer.write(encode_frame(self._config))
        return reader

    def _start_child(self) -> socket.socket:
        """Our end of the socket of a child that waits for its config."""
        interpreter = (sys.executable, "-P", "-X", "faulthandler")  # -P: nothing is imported from the working folder
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # Popen and not asyncio's: its death is seen on the socket, so no watcher thread is needed. Here and
                # not in an executor: the child's death signal fires when the thread that started it ends.
                self._popen = subprocess.Popen(  # noqa: S603
                    [*interpreter, "-m", self._module, str(theirs.fileno()), str(os.getpid())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    # A group of its own, so that Ctrl-C passes it by, but our session: Linux shares the processor
                    # out among sessions first (sched(7), autogroup), and in one of its own nice would mean nothing.
                    process_group=0,
                    env=_child_environment(os.environ, self._options.env or {}),
                )
                if self._options.nice:  # its threads come later and inherit it
                    os.setpriority(os.PRIO_PROCESS, self._popen.pid, self._options.nice)
            except BaseException:
                ours.close()
                raise
        return ours

    async def _read_until_end(self, reader: asyncio.StreamReader) -> None:
        decoder = FrameDecoder()
        timeout_s = self._options.ready_timeout_s
        too_late = asyncio.get_running_loop().call_later(timeout_s, self.kill, f"not ready after {timeout_s:g} s")
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                for frame in decoder.push(chunk):
                    self._take(frame)
                if self._ready_at is not None:
                    too_late.cancel()
        except ConnectionResetError:
            pass  # a Unix socket says so when the peer died without reading all
        except ConnectionError as error:
            self._reason = str(error)
        finally:
            too_late.cancel()

    def _take(self, frame: bytes) -> None:
        kind, payload = frame[:1], frame[1:]
        if kind == PAYLOAD:
            self._tell(partial(self._on_frame, payload))
        elif kind == READY:
            self.state = "ready"
            self._ready_at = asyncio.get_running_loop().time()
            self.last_error = ""
            self._has_been_up.set()
            if self._on_up is not None:
                self._tell(self._on_up)
        elif kind == FAILED:
            self._reason = payload.decode(errors="replace")
        else:
            raise ConnectionError(f"the {self.name} process sent a frame of unknown kind {kind!r}")

    async def _reap(self) -> str:
        """The socket has ended, so the process has or is about to. Returns how."""
        assert self._popen is not None
        for _ in range(_REAP_TICKS):
            if self._popen.poll() is not None:
                break
            if self._reason:
                self._signal(signal.SIGKILL, self._reason)
            await asyncio.sleep(_REAP_TICK_S)
        else:
            self._signal(signal.SIGKILL, "closed its socket and did not end")
        code = self._popen.wait()  # after SIGKILL: a matter of milliseconds
        return self._reason or _describe_exit(code)

    def _clean_up(self) -> None:
        """Every path out of a life: no process, no zombie and no socket is left."""
        if self._popen is not None:
            self._signal(signal.SIGKILL, "stopped")
            self._popen.wait()
            self._popen = None
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def _signal(self, number: signal.Signals, reason: str) -> None:
        """To the child's whole group. Until it is reaped its pid cannot have passed to a stranger."""
        if self._popen is None or self._popen.returncode is not None:
            return
        self._reason = self._reason or reason
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def _tell(self, callback: Callable[[], None]) -> None:
        """The edge to the owner: what goes wrong there ends this life and not the supervision."""
        try:
            callback()
        except Exception as error:
            _log.exception("the owner of the %s process failed", self.name)
            self.kill(f"its owner failed: {type(error).__name__}: {error}")


def _child_environment(ours: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in ours.items()
        if name in _INHERITED_VARIABLES or name.startswith(_INHERITED_PREFIXES)
    }
    return inherited | dict(added)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
