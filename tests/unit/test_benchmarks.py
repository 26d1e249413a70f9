"""The arithmetic behind published figures, and the page that is made of them."""

import math
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks import report
from benchmarks.client import Stream
from benchmarks.comparison import ratio
from benchmarks.phone_screens import STEPS, messages
from benchmarks.record import Record, Taken, save, to_record
from benchmarks.summary import Slo, percentile, poisson_arrivals_s, spread
from hypothesis import given
from hypothesis import strategies as st

PAGE = f"# Title\n\nby hand\n\n{report.BEGIN}\nold\n{report.END}\n\nalso by hand\n"
DECODE, TTFT = "decode [tok/s]", "TTFT [s]"


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setattr(sys, "argv", ["chat.py", "--gguf", "/some/folder/decoder.gguf"])
    values = {
        "autoglm-phone": [(50.0, 0.9), (54.0, 1.1), (52.0, 1.0)],
        "llama-server": [(40.0, 4.0), (42.0, 5.0), (41.0, 6.0)],
        "llama-server (skulk)": [(26.0, 2.0), (26.0, 2.0), (26.0, 2.0)],
    }
    rounds = {
        side: [Taken({DECODE: decode, TTFT: ttft}, {"TTFT by turn [s]": [ttft, ttft / 2]}) for decode, ttft in pairs]
        for side, pairs in values.items()
    }
    notes = {side: {"version": "1", "kernels": "CPU : AVX = 1 | AVX2 = 1 |", "idle_others": 0.0} for side in values}
    notes |= {"gone": {"absent": "it is not installed"}}
    wanted = {DECODE: (1.3, 9.0), TTFT: (0.5, 9.0)}
    return to_record("chat", "Chat", "/models/some.gguf", wanted, notes, rounds)


def test_a_spread_shows_three_digits_or_all_before_the_point() -> None:
    assert spread([28_812, 9.994, 999.6]) == "1,000 (9.99–28,812)"


@given(st.lists(st.floats(0, 10), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_enough_others_do_not_exceed(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    needed = math.ceil(len(values) * percent / 100)
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed


def test_arrivals_are_the_same_for_a_seed_and_as_many_as_the_rate_says() -> None:
    arrivals_s = poisson_arrivals_s(2.0, 5000.0, seed=7)
    assert arrivals_s == poisson_arrivals_s(2.0, 5000.0, seed=7) != poisson_arrivals_s(2.0, 5000.0, seed=8)
    assert arrivals_s == sorted(arrivals_s)
    assert arrivals_s[-1] < 5000.0
    assert len(arrivals_s) == pytest.approx(10_000, rel=0.05)  # five standard deviations
    pauses_s = [late - early for early, late in pairwise(arrivals_s)]
    assert sum(pause_s > 0.5 for pause_s in pauses_s) / len(pauses_s) == pytest.approx(math.exp(-1), abs=0.03)


def test_an_answer_counts_if_it_begins_in_time_and_goes_on_without_long_pauses() -> None:
    slo = Slo(ttft_s=2.0, itl_p95_s=0.1)
    steady = [0.05] * 95
    assert slo.is_met(2.0, [*steady, *[9.0] * 5])
    assert not slo.is_met(2.0, [*steady, *[9.0] * 6])
    assert not slo.is_met(2.1, steady)
    assert slo.is_met(1.0, [])


def test_decode_counts_tokens_and_not_pieces() -> None:
    stream = Stream(0.0, token_s=[1.0, 2.0, 3.0], end_s=3.5, completion_tokens=9)
    assert stream.decode_tokens_per_s == 4.0
    assert stream.tokens_between(1.0, 3.0) == 6.0


def test_the_ratio_is_to_the_better_peer(record: Record) -> None:
    assert ratio(record, DECODE) == pytest.approx(52 / 41)
    assert ratio(record, TTFT) == pytest.approx(1 / 2)


def test_a_page_is_written_from_results_and_keeps_what_people_wrote(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs/page.md"
    page.parent.mkdir()
    page.write_text(PAGE)
    save(record, tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["report", "--results", str(tmp_path / "results"), "--page", str(page)])
    report.main()
    text = page.read_text()
    assert text.startswith("# Title\n\nby hand\n")
    assert text.endswith("\n\nalso by hand\n")
    assert "old" not in text
    row = "| decode [tok/s] | 52 (50–54) | 41 (40–42) | 26 (26–26) | 1.27 | ≥ 1.3, not reached |"
    assert row in text
    assert "| 0.5 | ≤ 0.5, reached |" in text
    assert "gone is absent: it is not installed" in text
    assert "/some/folder" not in text
    pictures = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 2
    assert all((page.parent / picture).stat().st_size for picture in pictures)
    report.main()
    assert page.read_text() == text


def test_only_the_newest_turn_of_a_phone_session_has_a_screen() -> None:
    for step in range(1, STEPS):
        before, now = messages(3, step - 1), messages(3, step)
        assert now[: len(before) - 1] == before[:-1]
        assert [message["role"] for message in now[-3:]] == ["user", "assistant", "user"]
        screens = [message for message in now[1:] if '1. [31,12][118,38] "' in message["content"]]
        assert screens == now[-1:]
