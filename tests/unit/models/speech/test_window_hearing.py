from dataclasses import replace

from autoglm_phone.models.speech.window_hearing import Hearing

GOOD = Hearing("Open the settings", (1, 2, 3), "en", 0.9, -0.2, 0.05, 3.0)
LOOP = "the end " * 30


def test_a_likely_text_is_believed() -> None:
    assert GOOD.is_speech
    assert not GOOD.is_doubtful


def test_what_is_doubted_is_heard_again_before_it_is_left_out() -> None:
    for doubted in (replace(GOOD, logprob=-0.7), replace(GOOD, language_probability=0.3)):
        assert doubted.is_doubtful
        assert doubted.is_speech


def test_noise_is_no_speech() -> None:
    for noise in (
        replace(GOOD, text=""),
        replace(GOOD, logprob=-1.2),
        replace(GOOD, no_speech_probability=0.7),
        replace(GOOD, text=LOOP, tokens_per_s=9.0),
    ):
        assert not noise.is_speech


def test_people_repeat_themselves_too() -> None:
    assert replace(GOOD, text=LOOP, tokens_per_s=4.0).is_speech


def test_unlikely_words_are_what_a_temperature_asks_for() -> None:
    assert replace(GOOD, logprob=-1.8, temperature=0.8).is_speech
    assert not replace(GOOD, logprob=-1.8, temperature=0.8, no_speech_probability=0.7).is_speech


def test_a_translation_may_be_less_likely() -> None:
    assert replace(GOOD, logprob=-1.5, task="translate").is_speech
    assert not replace(GOOD, logprob=-2.5, task="translate").is_speech


def test_a_draft_may_be_a_guess_but_not_of_noise() -> None:
    guess = replace(GOOD, logprob=-1.8, is_draft=True)
    assert guess.is_speech
    assert not replace(guess, logprob=-2.5).is_speech
    assert not replace(guess, no_speech_probability=0.7).is_speech
