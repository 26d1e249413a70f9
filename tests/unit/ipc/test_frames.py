import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.ipc.frames import FrameDecoder, FrameSocket, encode_frame


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_frames_survive_any_cut_of_the_stream(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = FrameDecoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.push(stream[start:end])
    assert received == frames
    assert not decoder.is_mid_frame


def test_parts_are_joined_to_one_frame() -> None:
    assert FrameDecoder().push(encode_frame(b"ab", b"", b"c")) == [b"abc"]


def test_frame_over_the_limit_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="frame has 11 bytes, the limit is 10"):
        encode_frame(b"x" * 11, max_frame_bytes=10)


def test_announced_frame_over_the_limit_breaks_the_stream() -> None:
    with pytest.raises(ConnectionError, match="4000000000 bytes, the limit is 268435456"):
        FrameDecoder().push(struct.pack("<I", 4_000_000_000))


def test_decoder_knows_that_a_frame_is_incomplete() -> None:
    decoder = FrameDecoder()
    assert decoder.push(encode_frame(b"whole") + b"\x05") == [b"whole"]
    assert decoder.is_mid_frame


def test_receive_ready_drains_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = FrameSocket(theirs)
        assert child.receive_ready() == []
        assert not child.wait(0)
        ours.sendall(encode_frame(b"a") + encode_frame(b"b") + encode_frame(b"partial")[:-1])
        assert child.wait()
        assert child.receive_ready() == [b"a", b"b"]
        ours.sendall(b"l")
        assert child.receive() == b"partial"
        assert not child.is_closed


def test_frames_before_the_end_are_received_and_a_partial_one_is_not() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        child = FrameSocket(theirs)
        ours.sendall(encode_frame(b"a") + encode_frame(b"b") + encode_frame(b"cut")[:-2])
        ours.close()
        assert child.receive() == b"a"
        assert child.wait(0)
        assert child.receive() == b"b"
        assert child.receive() is None
        assert child.receive_ready() == []
        assert child.is_closed
        assert child.wait()


def test_peer_that_died_without_reading_reads_as_closed() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        child = FrameSocket(theirs)
        child.send(b"never read")
        ours.close()
        assert child.receive() is None
        with pytest.raises(BrokenPipeError):
            child.send(b"x")


def test_frames_of_many_threads_do_not_interleave() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender, receiver = FrameSocket(theirs), FrameSocket(ours)
        sent = [bytes([value]) * (1 << 18) for value in range(8)]
        threads = [threading.Thread(target=sender.send, args=(frame,)) for frame in sent]
        for thread in threads:
            thread.start()
        received = [receiver.receive() for _ in sent]
        for thread in threads:
            thread.join()
        assert sorted(frame for frame in received if frame is not None) == sent
