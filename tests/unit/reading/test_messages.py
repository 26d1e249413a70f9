import msgspec
import pytest

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import ModuleInfo, ReadLine
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, Word
from autoglm_phone.reading.messages import (
    Cancel,
    Done,
    Failed,
    FromMedia,
    HeardAll,
    HeardWindow,
    JobId,
    ReadJob,
    Ready,
    Refused,
    ToMedia,
    WorkBegan,
    WorkEnded,
    decode_from_media,
    decode_to_media,
    encode,
)

INFO = ModuleInfo("vision", "transcriber", "reader", "1.0", Digest("d" * 64), ("a.onnx", "b.onnx"), 7, "no faces")
HEARD = Heard("en", (Segment(" Hi.", 0.5, 1.0, (1, 2), 0.0, 0.5, -0.5, 0.1, 1.2, (Word("Hi.", 0.5, 1.0, 0.9),)),), 3)
HEARING = HearingOptions("translate", "zh", "names", 0.5, with_times=True)


@pytest.mark.parametrize(
    "message",
    [
        ReadJob(JobId(1), "speech", b"\x00\xff", "messages[0]"),
        ReadJob(JobId(1), "speech", b"\x00\xff", "file", HEARING),
        Cancel(JobId(1)),
    ],
)
def test_messages_to_the_process_survive_the_way(message: ToMedia) -> None:
    assert decode_to_media(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Ready((INFO,)),
        WorkBegan("decoding", "messages[0]"),
        WorkBegan("speech", "messages[0]", 2.5),
        WorkEnded("speech"),
        Done(JobId(3), "文字", "one line", Digest("a" * 64), Digest("b" * 64), True, 0.5),
        Done(JobId(3), "x", "", Digest("a"), Digest("b"), True, 0.5, (ReadLine("x", (1, 2, 3, 999)),)),
        HeardWindow(JobId(3), HEARD),
        HeardAll(JobId(3), 2.5, Digest("a" * 64), Digest("b" * 64), False, 0.5),
        Refused(JobId(4), "MediaTooLarge", "too large"),
        Refused(JobId(4), "InvalidRequest", "no such language", "language"),
        Failed(JobId(5), "oops"),
    ],
)
def test_messages_from_the_process_survive_the_way(message: FromMedia) -> None:
    assert decode_from_media(encode(message)) == message


def test_a_message_of_the_wrong_direction_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_to_media(encode(WorkEnded("speech")))
