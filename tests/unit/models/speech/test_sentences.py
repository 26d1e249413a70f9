from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.models.speech.sentences import TimedWord, sentences, whole_words, without_silence


def spoken(text: str, *, start_s: float = 0.0, word_s: float = 0.25) -> list[TimedWord]:
    """One word after the other; ` _` is a pause of one second and a half."""
    words: list[TimedWord] = []
    for word in text.split(" "):
        if word == "_":
            start_s += 1.5
        else:
            words.append(TimedWord(f" {word}", (len(words),), start_s, start_s + word_s, 0.9))
            start_s += word_s
    return words


def texts(words: list[TimedWord]) -> list[str]:
    return ["".join(word.text for word in group).strip() for group in sentences(words)]


def test_a_sentence_ends_at_its_mark() -> None:
    assert texts(spoken("Open it. Is it open? Yes! Good")) == ["Open it.", "Is it open?", "Yes!", "Good"]
    assert texts(spoken('He said "stop." Then he left…')) == ['He said "stop."', "Then he left…"]
    assert texts(spoken("打开设置。 关闭蓝牙")) == ["打开设置。", "关闭蓝牙"]


def test_points_within_numbers_and_behind_titles_end_nothing() -> None:
    assert texts(spoken("Mr. Smith pays 3.50 to Dr. No")) == ["Mr. Smith pays 3.50 to Dr. No"]


def test_a_pause_ends_a_sentence() -> None:
    assert texts(spoken("one two _ three")) == ["one two", "three"]


def test_a_long_sentence_is_cut_where_the_speaker_takes_a_breath() -> None:
    assert texts(spoken(" ".join(["word"] * 20 + ["word,"] + ["word"] * 21))) == [
        " ".join(["word"] * 20 + ["word,"]),
        " ".join(["word"] * 21),
    ]
    without_marks = sentences(spoken(" ".join(["word"] * 200)))
    assert all(group[-1].end_s - group[0].start_s <= 10 for group in without_marks)
    assert min(map(len, without_marks)) > 10


def test_what_has_no_space_before_it_belongs_to_the_last_word() -> None:
    pieces = [
        TimedWord(" o", (1,), 0.0, 0.2, 0.9),
        TimedWord("'clock", (2, 3), 0.2, 0.6, 0.8),
        TimedWord(" now", (4,), 0.7, 1.0, 0.9),
    ]
    assert whole_words(pieces) == [TimedWord(" o'clock", (1, 2, 3), 0.0, 0.6, 0.8), pieces[2]]
    assert whole_words([pieces[1]]) == [pieces[1]]
    assert whole_words([]) == []


def test_the_first_word_of_a_sentence_does_not_begin_with_the_silence_before_it() -> None:
    words = [
        TimedWord(" Hello.", (1,), 0.0, 3.0, 0.9),
        *spoken("and so", start_s=3.0),
        TimedWord(" internationally.", (2,), 3.5, 5.0, 0.9),
        TimedWord(" Then", (3,), 5.0, 8.0, 0.9),
    ]
    trimmed = without_silence(words)
    # twice the median, which is not over 0.7 s
    assert [round(word.end_s - word.start_s, 3) for word in trimmed] == [1.4, 0.25, 0.25, 1.5, 1.4]
    assert [word.end_s for word in trimmed] == [word.end_s for word in words]


def test_no_words_are_no_sentences() -> None:
    assert sentences([]) == []
    assert without_silence([]) == []


@given(
    st.lists(
        st.tuples(
            st.text("ab.,?! 你。", max_size=4), st.floats(0, 3, allow_nan=False), st.floats(0, 15, allow_nan=False)
        ),
        max_size=40,
    )
)
def test_no_word_is_lost_whatever_was_said(pieces: list[tuple[str, float, float]]) -> None:
    words, now_s = [], 0.0
    for index, (text, silence_s, length_s) in enumerate(pieces):
        start_s = now_s + silence_s
        now_s = start_s + length_s
        words.append(TimedWord(text, (index,), start_s, now_s, 0.5))
    groups = sentences(without_silence(words))
    assert [word.tokens for group in groups for word in group] == [word.tokens for word in words]
    assert all(groups)
