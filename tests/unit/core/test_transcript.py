from autoglm_phone.core.transcript import Heard, Segment, Transcript


def heard(language: str, *texts: str) -> Heard:
    return Heard(language, tuple(Segment(text, 0.0, 1.0, (), 0.0, 0.0, -0.5, 0.1, 1.0) for text in texts))


def test_a_transcript_is_all_its_segments() -> None:
    transcript = Transcript(9.0, (heard("en", " Hello.", " How are you?"), heard("en", " Fine.")))
    assert transcript.text == "Hello. How are you? Fine."
    assert [segment.text for segment in transcript.segments] == [" Hello.", " How are you?", " Fine."]
    assert transcript.language == "en"


def test_chinese_is_written_without_spaces() -> None:
    assert Transcript(9.0, (heard("zh", "你好"), heard("zh", "再见"))).text == "你好再见"


def test_silence_is_an_empty_text_of_no_language() -> None:
    assert (Transcript(9.0, ()).text, Transcript(9.0, ()).language) == ("", "")
