import numpy as np

from autoglm_phone.models.speech.segments import timed_segments, whole_segment
from autoglm_phone.models.speech.sentences import TimedWord
from autoglm_phone.models.speech.window_hearing import Hearing
from autoglm_phone.models.speech.windows import SAMPLE_RATE, Part, SpeechWindow

# seconds 2 to 4 and 10 to 12 of a sound
WINDOW = SpeechWindow(
    np.zeros(4 * SAMPLE_RATE, np.float32),
    (
        Part(2 * SAMPLE_RATE, 4 * SAMPLE_RATE, 0),
        Part(10 * SAMPLE_RATE, 12 * SAMPLE_RATE, 2 * SAMPLE_RATE),
    ),
)


def hearing(text: str, language: str = "en") -> Hearing:
    return Hearing(text, (1, 2, 3, 4), language, 0.9, -0.2, 0.05, 3.0)


def words(*texts: str) -> list[TimedWord]:
    """Half a second each."""
    return [
        TimedWord(text, (index,), index / 2, index / 2 + 0.5, 0.25 * index) for index, text in enumerate(texts, start=1)
    ]


def test_without_words_a_window_is_one_segment() -> None:
    segment = whole_segment(WINDOW, hearing("Hello there"), "en")
    assert (segment.text, segment.start_s, segment.end_s) == (" Hello there", 2.0, 12.0)
    assert (segment.tokens, segment.avg_logprob, segment.no_speech_probability) == ((1, 2, 3, 4), -0.2, 0.05)
    assert segment.window_start_s == 2.0
    assert timed_segments(WINDOW, hearing("Hello there"), "en", []) == (segment,)


def test_sentences_have_their_times_in_the_sound() -> None:
    spoken = [*words(" A", " b."), TimedWord(" C", (3,), 1.75, 2.25, 0.9), TimedWord(" d", (4,), 2.25, 2.75, 0.9)]
    first, second = timed_segments(WINDOW, hearing("A b. C d"), "en", spoken)
    assert (first.text, first.start_s, first.end_s) == (" A b.", 2.5, 3.5)
    assert (second.text, second.start_s, second.end_s) == (" C d", 10.0, 10.75)
    assert [word.text for word in (*first.words, *second.words)] == ["A", "b.", "C", "d"]
    assert first.tokens + second.tokens == (1, 2, 3, 4)
    assert first.words[0].probability == 0.25


def test_no_word_begins_before_the_last_one_has_ended() -> None:
    twisted = [TimedWord(" a", (1,), 0.5, 1.5, 0.9), TimedWord(" b", (2,), 1.0, 1.25, 0.9)]
    (segment,) = timed_segments(WINDOW, hearing("a b"), "en", twisted)
    assert [(word.start_s, word.end_s) for word in segment.words] == [(2.5, 3.5), (3.5, 3.5)]


def test_texts_joined_are_the_whole_whatever_the_language() -> None:
    for language, parts in (
        ("en", (" One.", " Two")),
        ("zh", ("打開設置。", "关闭", " iPhone")),
        ("en", ("One", " 2")),
    ):
        whole = whole_segment(WINDOW, hearing("".join(parts).strip(), language), language)
        segments = timed_segments(WINDOW, hearing("".join(parts).strip(), language), language, words(*parts))
        assert "".join(segment.text for segment in segments) == whole.text


def test_chinese_words_are_simplified_and_a_translation_is_not_chinese() -> None:
    (segment,) = timed_segments(WINDOW, hearing("打開", "zh"), "zh", words("打", "開"))
    assert (segment.text, [word.text for word in segment.words]) == ("打开", ["打", "开"])
    assert whole_segment(WINDOW, hearing("open 開", "zh"), "en").text == " open 開"


def test_words_are_whole_where_spaces_part_them() -> None:
    (english,) = timed_segments(WINDOW, hearing("o'clock"), "en", words(" o", "'clock"))
    assert [word.text for word in english.words] == ["o'clock"]
    (chinese,) = timed_segments(WINDOW, hearing("关闭", "zh"), "zh", words("关", "闭"))
    assert [word.text for word in chinese.words] == ["关", "闭"]


def test_a_word_of_nothing_but_spaces_is_no_word() -> None:
    (segment,) = timed_segments(WINDOW, hearing("a"), "en", words(" a", " "))
    assert [word.text for word in segment.words] == ["a"]
