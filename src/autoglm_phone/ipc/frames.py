"""Length-prefixed byte frames over a stream socket; knows nothing of what is sent.

A frame is a little-endian uint32 length and that many bytes. `FrameDecoder` is pure; `FrameSocket` is the
blocking end that a child process holds. The other end, on the event loop, is in `process.py`.
"""

import select
import socket
import struct
import threading
from collections import deque

_LENGTH = struct.Struct("<I")
_CHUNK_BYTES = 1 << 18
_REST_WAIT_S = 0.01  # between two pieces of a frame; the other end writes on within a millisecond unless it is busy

MAX_FRAME_BYTES = 256 << 20


def encode_frame(*parts: bytes, max_frame_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """The parts, joined to one frame. Raises ValueError if it is over the limit."""
    length = sum(map(len, parts))
    if length > max_frame_bytes:
        raise ValueError(f"frame has {length} bytes, the limit is {max_frame_bytes}")
    return b"".join((_LENGTH.pack(length), *parts))


class FrameDecoder:
    """Cuts a byte stream into frames, however it arrives."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()

    def push(self, chunk: bytes) -> list[bytes]:
        """The frames that are complete with this chunk.

        Raises ConnectionError if a frame is announced that is over the limit: the stream is lost then.
        """
        self._buffer += chunk
        frames = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._max_frame_bytes:
                raise ConnectionError(f"peer announces a frame of {length} bytes, the limit is {self._max_frame_bytes}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(memoryview(self._buffer)[_LENGTH.size : end]))
            del self._buffer[:end]
        return frames

    @property
    def is_mid_frame(self) -> bool:
        return bool(self._buffer)


class FrameSocket:
    """The blocking end. One thread receives; any thread may send.

    A peer that has closed, also in the middle of a frame, reads as closed: whole frames before it are still given.
    """

    def __init__(self, sock: socket.socket, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        sock.setblocking(True)
        self._socket = sock
        self._max_frame_bytes = max_frame_bytes
        self._decoder = FrameDecoder(max_frame_bytes)
        self._frames: deque[bytes] = deque()
        self._has_ended = False
        self._send_lock = threading.Lock()  # frames of two threads must not interleave
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def is_closed(self) -> bool:
        """The peer has closed and nothing is left to receive."""
        return self._has_ended and not self._frames

    def send(self, *parts: bytes) -> None:
        """Send the joined parts as one frame; waits while the peer does not read. Raises OSError if it has gone."""
        frame = encode_frame(*parts, max_frame_bytes=self._max_frame_bytes)
        with self._send_lock:
            self._socket.sendall(frame)

    def receive(self) -> bytes | None:
        """The next frame, or None when the peer has closed."""
        while not self._frames and not self._has_ended:
            self._read(flags=0)
        return self._frames.popleft() if self._frames else None

    def receive_ready(self) -> list[bytes]:
        """Every frame that is there now. Look at `is_closed` when it is empty.

        The rest of a frame that has begun is waited for a moment: a socket holds 200 kB, and a picture's embeddings are
        13 MB.
        """
        while not self._has_ended and (self._read(flags=socket.MSG_DONTWAIT) or self._is_rest_coming()):
            pass
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until there is something to receive, or the peer has closed. False when the time is over."""
        if self._frames or self._has_ended:
            return True
        return bool(self._poll.poll(None if timeout_s is None else timeout_s * 1000))

    def _is_rest_coming(self) -> bool:
        return self._decoder.is_mid_frame and bool(self._poll.poll(_REST_WAIT_S * 1000))

    def close(self) -> None:
        self._has_ended = True
        self._socket.close()

    def _read(self, *, flags: int) -> bool:
        """Read one chunk. False if nothing was there."""
        try:
            chunk = self._socket.recv(_CHUNK_BYTES, flags)
        except BlockingIOError:
            return False
        except ConnectionResetError:  # a Unix socket says so when the peer died without reading all
            chunk = b""
        self._frames.extend(self._decoder.push(chunk))
        self._has_ended = not chunk
        return True
