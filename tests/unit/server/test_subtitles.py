from autoglm_phone.core.transcript import Heard, Segment, Transcript
from autoglm_phone.server.subtitles import to_srt, to_vtt


def transcript(*segments: tuple[str, float, float]) -> Transcript:
    return Transcript(
        9999.0,
        (
            Heard(
                "en",
                tuple(Segment(text, start_s, end_s, (), 0, 0, -0.5, 0.1, 1) for text, start_s, end_s in segments),
            ),
        ),
    )


TWO = transcript((" Hello there.", 0.5, 1.25), (" Good bye.", 3599.9996, 3725.0421))


def test_srt() -> None:
    assert to_srt(TWO) == (
        "1\n00:00:00,500 --> 00:00:01,250\nHello there.\n\n2\n01:00:00,000 --> 01:02:05,042\nGood bye.\n\n"
    )


def test_vtt() -> None:
    assert to_vtt(TWO) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nHello there.\n\n01:00:00.000 --> 01:02:05.042\nGood bye.\n\n"
    )


def test_silence() -> None:
    assert to_srt(Transcript(3.0, ())) == ""
    assert to_vtt(Transcript(3.0, ())) == "WEBVTT\n\n"


def test_no_text_can_end_its_cue_or_begin_another() -> None:
    hostile = transcript((" a\n\n2\n00:00:00,000 --> 00:00:01,000\r\nb", 0, 1))
    assert to_srt(hostile).count("-->") == 1
    assert to_srt(hostile).splitlines()[2] == "a 2 00:00:00,000 -> 00:00:01,000 b"
    assert to_vtt(transcript((" AT&T <b>", 0, 1))).splitlines()[3] == "AT&amp;T &lt;b&gt;"


def test_a_cue_ends_after_it_begins_and_has_a_text() -> None:
    assert "00:00:02,000 --> 00:00:02,001" in to_srt(transcript((" x", 2, 2)))
    assert to_srt(transcript((" ", 0, 1), (" x", 1, 2))).startswith("1\n00:00:01,000")
