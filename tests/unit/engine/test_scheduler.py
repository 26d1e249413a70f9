"""The scheduler over the fake backend: exact texts whatever shares the batch, the cache or the memory."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from llguidance import LLMatcher

from autoglm_phone.backends.fake.backend import Choose, FakeBackend, Values, choose_by_hash
from autoglm_phone.core.backend import StepPlan, StepResult
from autoglm_phone.core.ids import Digest, RequestId, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Grid, Prompt
from autoglm_phone.core.request import FinishReason, Request, SamplingParams, TokenEvent, TokenLogprobs
from autoglm_phone.engine.chunk_policy import ChunkPolicy
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.scheduler import Scheduler
from autoglm_phone.engine.step_costs import StepCosts

GREEDY = SamplingParams(temperature=0.0)
VOCABULARY = 50


def small_config(
    *, cache: bool = True, kv_tokens: int = 64, spill_bytes: int = 400, speculation: bool = True
) -> EngineConfig:
    return EngineConfig(
        max_model_len=40,
        kv_tokens=kv_tokens,
        max_running=3,
        max_waiting=100,
        max_cached=3 if cache else 0,
        idle_kv_tokens=20 if cache else 0,
        spill_bytes=spill_bytes if cache else 0,
        prefill_chunk=4,
        prefill_chunk_idle=6,
        speculation=speculation,
    )


class ScriptedBackend(FakeBackend):
    """held: requests whose grammar is not compiled yet. failing and ending: what the next draws mean for whom."""

    def __init__(self, config: EngineConfig, choose: Choose) -> None:
        super().__init__(choose, num_slots=config.max_slots, kv_tokens=config.kv_tokens)
        self.held: set[RequestId] = set()
        self.failing: dict[RequestId, str] = {}
        self.ending: set[RequestId] = set()

    def is_ready(self, request: RequestId) -> bool:
        return request not in self.held and super().is_ready(request)

    def step(self, plan: StepPlan) -> StepResult:
        result = super().step(plan)
        drawn = {request: token for request, token in result.sampled.items() if request not in self.failing}
        failed = result.failed | {request: self.failing[request] for request in result.sampled.keys() - drawn.keys()}
        return replace(result, sampled=drawn, failed=failed, ended=result.ended | (self.ending & drawn.keys()))


def choose_from_habit(values: Values, params: SamplingParams) -> TokenId:
    """Mostly what followed the last two tokens before, as far as the hash of them goes; now and then something else."""
    usual = TokenId(choose_by_hash(3)(values[-2:], GREEDY) + 1)
    return usual if choose_by_hash(7)(values, params) else choose_by_hash(VOCABULARY)(values, params)


class Rig:
    """Guesses cost nothing, so that all of them are computed; what is worth it is tested beside the drafter."""

    def __init__(self, config: EngineConfig, choose: Choose = choose_from_habit) -> None:
        self.config = config
        self.backend = ScriptedBackend(config, choose)
        self.scheduler = Scheduler(config, self.backend, ChunkPolicy(config), StepCosts(slope=0.0))
        self.texts: dict[RequestId, list[TokenId]] = {}
        self.finished: dict[RequestId, FinishReason] = {}
        self.cached: dict[RequestId, int] = {}
        self.events: dict[RequestId, list[TokenEvent]] = {}

    def add(self, request: Request) -> None:
        self.texts[request.id] = []
        self.events[request.id] = []
        self.scheduler.add(request)
        while request.id not in self.backend.held and not self.backend.is_ready(request.id):
            pass  # a grammar of a test is compiled in a millisecond

    def step(self) -> None:
        planned = self.scheduler.plan()
        assert 0 < planned.plan.num_tokens <= self.config.max_step_tokens, "there is work, so there is a step"
        for request_id, event in self.scheduler.commit(planned, self.backend.step(planned.plan)):
            self.texts[request_id] += event.tokens
            self.events[request_id].append(event)
            self.cached[request_id] = event.cached_tokens
            if event.finish:
                self.finished[request_id] = event.finish

    def run(self) -> None:
        while self.scheduler.has_work:
            self.step()
            self.scheduler.check_invariants()


def make_request(
    name: str, prompt: Prompt, max_tokens: int, sampling: SamplingParams = GREEDY, grammar: str = ""
) -> Request:
    return Request(RequestId(name), prompt, sampling, max_tokens, frozenset({TokenId(0)}), grammar)


def alone(request: Request) -> list[TokenId]:
    """The text of a request that nothing is shared with and nothing is computed ahead for."""
    rig = Rig(small_config(cache=False, speculation=False))
    rig.add(request)
    rig.run()
    return rig.texts[request.id]


def media_span(start: int, length: int, number: int, grid: Grid | None = None) -> EmbedSpan:
    rows = np.full((length, 2), number, dtype=np.float32)
    return EmbedSpan(start, rows, Digest(f"media {number}"), Digest("module"), grid)


@st.composite
def prompts(draw: st.DrawFn, longest: int = 25) -> Prompt:
    """Few distinct tokens, so that prefixes often agree; sometimes sounds and pictures among them."""
    tokens = draw(st.lists(st.integers(1, 2), min_size=1, max_size=longest))
    embeds: list[EmbedSpan] = []
    start = draw(st.integers(0, 4))
    while len(embeds) < 2 and draw(st.booleans()):
        grid = draw(st.sampled_from((None, Grid(2, 3), Grid(3, 1), Grid(2, 2))))
        length = 3 if grid is None else grid.num_tokens
        if start + length >= len(tokens):
            break
        embeds.append(media_span(start, length, draw(st.integers(1, 2)), grid))
        start += length + draw(st.integers(0, 4))
    return Prompt(tuple(TokenId(token) for token in tokens), tuple(embeds))


samplings = st.one_of(st.just(GREEDY), st.builds(SamplingParams, seed=st.integers(0, 2)))


@given(st.lists(st.tuples(prompts(), st.integers(1, 15), samplings), min_size=1, max_size=8))
@settings(deadline=None, max_examples=150)
def test_texts_are_the_same_alone_and_together_with_cache_spill_and_preemption(
    asked: list[tuple[Prompt, int, SamplingParams]],
) -> None:
    requests = [make_request(f"r{i}", *what) for i, what in enumerate(asked)]
    rig = Rig(small_config())
    for request in requests:
        rig.add(request)
        if rig.scheduler.num_waiting > 2:
            rig.step()
    rig.run()
    assert rig.texts == {request.id: alone(request) for request in requests}
    assert set(rig.finished) == set(rig.texts)
    assert rig.backend.num_samplers == 0


class SchedulerMachine(RuleBasedStateMachine):
    """Random add, step and abort: cells and slots are free, cached or owned, each exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(small_config(kv_tokens=44, spill_bytes=300))
        self.count = 0

    @rule(prompt=prompts(), max_tokens=st.integers(1, 15))
    def add(self, prompt: Prompt, max_tokens: int) -> None:
        self.rig.add(make_request(f"r{self.count}", prompt, max_tokens))
        self.count += 1

    @precondition(lambda self: self.rig.scheduler.has_work)
    @rule()
    def step(self) -> None:
        self.rig.step()

    @precondition(lambda self: self.count > 0)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        self.rig.scheduler.abort(RequestId(f"r{data.draw(st.integers(0, self.count - 1))}"))

    @invariant()
    def accounts_agree_with_the_backend(self) -> None:
        self.rig.scheduler.check_invariants()
        assert self.rig.scheduler.kv.num_used == self.rig.backend.num_used_cells

    def teardown(self) -> None:
        self.rig.run()
        assert self.rig.backend.num_samplers == 0


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)


def tokens(*numbers: int) -> tuple[TokenId, ...]:
    return tuple(TokenId(number) for number in numbers)


def test_a_second_turn_computes_only_what_is_new() -> None:
    rig = Rig(small_config())
    first = make_request("first", Prompt(tokens(*range(1, 16))), 3)
    rig.add(first)
    rig.run()
    answer = rig.texts[first.id]
    before = rig.backend.num_computed
    rig.add(make_request("second", Prompt((*first.prompt.tokens, *answer, TokenId(7), TokenId(8))), 1))
    rig.run()
    # The last token of an answer is drawn but never fed, so it is computed with the new turn.
    assert rig.cached[RequestId("second")] == 15 + len(answer) - 1
    assert rig.backend.num_computed - before == 3


def test_a_spilled_prefix_comes_back() -> None:
    rig = Rig(small_config(spill_bytes=10_000))
    long_prompts = [tuple(TokenId(10 * k + i % 9) for i in range(20)) for k in range(1, 4)]
    for k, prompt in enumerate(long_prompts):
        rig.add(make_request(f"r{k}", Prompt(prompt), 1))
        rig.run()
    assert rig.scheduler.kv.num_spills >= 2
    before = rig.backend.num_computed
    rig.add(make_request("again", Prompt((*long_prompts[0], TokenId(5))), 1))
    rig.run()
    assert rig.scheduler.kv.num_restores == 1
    assert rig.cached[RequestId("again")] == 20
    assert rig.backend.num_computed - before == 1


def test_another_medium_at_the_same_place_is_not_a_hit() -> None:
    rig = Rig(small_config())
    for name, number in (("one", 1), ("same", 1), ("other", 2)):
        rig.add(make_request(name, Prompt(tokens(*range(1, 13)), (media_span(4, 3, number),)), 1))
        rig.run()
    assert rig.cached[RequestId("same")] == 11
    assert rig.cached[RequestId("other")] == 4


def test_text_behind_a_picture_goes_on_where_its_largest_side_ends() -> None:
    rig = Rig(small_config())
    prompt = Prompt(tokens(*range(1, 13)), (media_span(2, 6, 1, Grid(2, 3)), media_span(9, 2, 2, Grid(1, 2))))
    rig.add(make_request("pictures", prompt, 2))
    fed: list[list[int]] = []
    while rig.scheduler.has_work:
        planned = rig.scheduler.plan()
        for item in planned.plan.items:
            plain = [[item.position + at] * 3 for at in range(len(item.tokens))]
            fed += plain if item.positions is None else item.positions.tolist()
        rig.scheduler.commit(planned, rig.backend.step(planned.plan))
    first = [[2, 2, 2], [2, 2, 3], [2, 2, 4], [2, 3, 2], [2, 3, 3], [2, 3, 4]]
    second = [[6, 6, 6], [6, 6, 7]]
    assert fed == [[0] * 3, [1] * 3, *first, [5] * 3, *second, [8] * 3, [9] * 3]


def test_running_streams_go_on_while_a_long_prompt_is_read() -> None:
    rig = Rig(small_config())
    rig.add(make_request("stream", Prompt(tokens(3)), 12))
    rig.step()
    rig.add(make_request("long", Prompt(tokens(*[2] * 20)), 1))
    for _ in range(4):
        before = len(rig.texts[RequestId("stream")])
        planned = rig.scheduler.plan()
        assert (planned.num_prefill, planned.num_decoding) == (4, 1)
        for request_id, event in rig.scheduler.commit(planned, rig.backend.step(planned.plan)):
            rig.texts[request_id] += event.tokens
        assert len(rig.texts[RequestId("stream")]) == before + 1


def test_an_aborted_request_is_gone_before_the_next_step() -> None:
    rig = Rig(small_config())
    rig.add(make_request("gone", Prompt(tokens(1, 2, 3)), 10))
    rig.step()
    rig.scheduler.abort(RequestId("gone"))
    assert not rig.scheduler.has_work
    assert rig.scheduler.num_running == 0
    assert rig.backend.num_samplers == 0


BYTES_33_TO_47 = LLMatcher.grammar_from_regex("[!-/]{4,12}")
FORM = LLMatcher.grammar_from_regex(r'(!first="[#-&]{1,2}", |second: -?[0-9]{1,3};){1,4}')
HABIT = LLMatcher.grammar_from_regex("([\x01-\x03]{2,5};){1,6}")
grammars = st.sampled_from(["", BYTES_33_TO_47, LLMatcher.grammar_from_regex("(#%?)+!"), FORM, HABIT])


@given(st.lists(st.tuples(prompts(), st.integers(1, 15), samplings, grammars), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_texts_in_a_grammar_are_the_same_alone_and_together_and_after_preemption(
    asked: list[tuple[Prompt, int, SamplingParams, str]],
) -> None:
    requests = [make_request(f"r{i}", *what) for i, what in enumerate(asked)]
    rig = Rig(small_config(kv_tokens=44))
    for request in requests:
        rig.add(request)
    rig.run()
    assert rig.texts == {request.id: alone(request) for request in requests}
    assert rig.backend.num_samplers == 0


def test_a_preempted_answer_goes_on_in_its_grammar() -> None:
    rig = Rig(small_config(kv_tokens=40))
    eighteen = LLMatcher.grammar_from_regex("[!-/]{18}")
    for k in range(3):
        rig.add(make_request(f"r{k}", Prompt(tokens(*[k + 1] * 10)), 20, grammar=eighteen))
    rig.run()
    assert rig.scheduler.num_preemptions > 0
    assert [len(text) for text in rig.texts.values()] == [18] * 3
    assert all(33 <= token <= 47 for text in rig.texts.values() for token in text)


def test_what_a_grammar_forces_takes_no_step_of_its_own() -> None:
    text = b'{"element": [5, 5]}'
    grammar = LLMatcher.grammar_from_regex(r'\{"element": \[[5-6], [5-6]\]\}')
    counts = {}
    for speculation in (True, False):
        rig = Rig(small_config(speculation=speculation))
        rig.add(make_request("r", Prompt(tokens(1)), 39, grammar=grammar))
        rig.run()
        counts[speculation] = len(rig.events[RequestId("r")]), rig.scheduler.num_forced
        assert bytes(rig.texts[RequestId("r")]).replace(b"6", b"5") == text
        assert rig.finished == {RequestId("r"): "stop"}
    assert counts == {True: (3, len(text) - 3), False: (len(text), 0)}


@pytest.mark.parametrize("max_tokens", [1, 2, 5, 6, 7])
def test_a_forced_text_is_cut_at_max_tokens(max_tokens: int) -> None:
    rig = Rig(small_config())
    rig.add(make_request("r", Prompt(tokens(1)), max_tokens, grammar=LLMatcher.grammar_from_regex("abcdef")))
    rig.run()
    assert bytes(rig.texts[RequestId("r")]) == b"abcdef"[:max_tokens]
    assert rig.finished == {RequestId("r"): "length" if max_tokens < 6 else "stop"}


def test_a_running_stream_gets_its_tokens_while_another_computes_what_was_forced() -> None:
    rig = Rig(small_config())
    rig.add(make_request("stream", Prompt(tokens(3)), 12))
    rig.add(make_request("forced", Prompt(tokens(4)), 30, grammar=LLMatcher.grammar_from_regex("a{20}[bc]d{5}")))
    rig.step()
    assert len(rig.texts[RequestId("forced")]) == 20
    steps = 0
    while len(rig.texts[RequestId("forced")]) == 20:
        before = len(rig.texts[RequestId("stream")])
        rig.step()
        steps += 1
        assert len(rig.texts[RequestId("stream")]) == before + 1
    assert steps == 4, "twenty positions in chunks of four, each beside the one that is computed anyway"
    rig.run()
    assert len(rig.texts[RequestId("forced")]) == 26


def test_who_asks_for_logprobs_gets_one_a_token_of_a_forced_text() -> None:
    rig = Rig(small_config())
    grammar = LLMatcher.grammar_from_regex("abc")
    asked = Request(RequestId("asked"), Prompt(tokens(1)), GREEDY, 9, grammar=grammar, top_logprobs=1)
    rig.add(asked)
    rig.run()
    assert [(len(event.tokens), len(event.logprobs)) for event in rig.events[asked.id]] == [(1, 1)] * 3


def test_a_complete_answer_ends_with_stop_even_at_its_last_token() -> None:
    rig = Rig(small_config())
    rig.add(make_request("fits", Prompt(tokens(1)), 3, grammar=LLMatcher.grammar_from_regex("abc")))
    rig.add(make_request("cut", Prompt(tokens(2)), 2, grammar=LLMatcher.grammar_from_regex("abc")))
    rig.run()
    assert bytes(rig.texts[RequestId("fits")]) == b"abc"
    assert rig.finished == {RequestId("fits"): "stop", RequestId("cut"): "length"}


def test_an_answer_without_stop_tokens_ends_where_nothing_may_follow() -> None:
    rig = Rig(small_config())
    request = Request(RequestId("r"), Prompt(tokens(1)), GREEDY, 9, grammar=LLMatcher.grammar_from_regex(""))
    rig.add(request)
    rig.run()
    assert rig.events[request.id] == [TokenEvent((), "stop")]


def test_one_that_fails_is_told_why_and_the_others_go_on() -> None:
    rig = Rig(small_config())
    for name in ("failing", "other"):
        rig.add(make_request(name, Prompt(tokens(3, 4)), 8))
    rig.step()
    before = len(rig.texts[RequestId("failing")])
    rig.backend.failing = {RequestId("failing"): "too complex"}
    rig.run()
    *_, last = rig.events[RequestId("failing")]
    assert (last.tokens, last.finish, last.error) == ((), "stop", "too complex")
    assert len(rig.texts[RequestId("failing")]) == before
    assert rig.texts[RequestId("other")] == alone(make_request("other", Prompt(tokens(3, 4)), 8))
    assert rig.backend.num_samplers == 0


def test_logprobs_come_with_counted_tokens_only() -> None:
    rig = Rig(small_config())
    asked = Request(RequestId("asked"), Prompt(tokens(1, 2)), GREEDY, 30, frozenset(map(TokenId, range(9))), "", 2)
    rig.add(asked)
    rig.add(make_request("plain", Prompt(tokens(1, 2, 3)), 4))
    rig.run()
    events = rig.events[asked.id]
    assert rig.finished[asked.id] == "stop"
    assert [len(event.logprobs) for event in events] == [len(event.tokens) for event in events]
    assert all(isinstance(told, TokenLogprobs) and len(told.top) == 2 for e in events for told in e.logprobs)
    assert not any(event.logprobs for event in rig.events[RequestId("plain")])


@given(prompts(longest=12), st.integers(5, 28), samplings, grammars, st.integers(0, 12))
@settings(deadline=None, max_examples=200)
def test_a_text_is_the_same_with_guesses_whatever_comes_of_them(
    prompt: Prompt, max_tokens: int, sampling: SamplingParams, grammar: str, num_steps: int
) -> None:
    """A second request that comes in between stops the guessing, and takes cells."""
    rig = Rig(small_config(kv_tokens=44))
    first = make_request("first", prompt, max_tokens, sampling, grammar)
    second = make_request("second", prompt, max_tokens, sampling)
    rig.add(first)
    for _ in range(num_steps):
        if rig.scheduler.has_work:
            rig.step()
            assert rig.scheduler.kv.num_used == rig.backend.num_used_cells
    rig.add(second)
    rig.run()
    assert rig.texts == {request.id: alone(request) for request in (first, second)}
    assert rig.scheduler.num_accepted <= rig.scheduler.num_drafted


def cycle(values: Values, _params: SamplingParams) -> TokenId:
    """One to five, again and again; a hundred at the thirtieth position."""
    return TokenId(100 if len(values) == 29 else int(values[-1]) % 5 + 1)


def test_guesses_that_come_true_take_no_steps_and_others_cost_no_cells() -> None:
    rig = Rig(small_config(), cycle)
    prompt = Prompt(tokens(*range(1, 6)) * 2)
    rig.add(make_request("r", prompt, 29))
    rig.run()
    slow = Rig(small_config(speculation=False), cycle)
    slow.add(make_request("r", prompt, 29))
    slow.run()
    assert rig.texts == slow.texts
    assert len(rig.events[RequestId("r")]) < 12 < len(slow.events[RequestId("r")])
    assert 0 < rig.scheduler.num_accepted < rig.scheduler.num_drafted
    assert slow.scheduler.num_drafted == 0


def test_a_guess_never_goes_beyond_a_stop_token() -> None:
    """The history holds the ends of earlier turns."""
    rig = Rig(small_config(), lambda values, _: TokenId((int(values[-1]) + 1) % 5))
    rig.add(make_request("r", Prompt(tokens(1, 2, 3, 4, 0, 1, 2)), 20))
    rig.run()
    assert rig.texts[RequestId("r")] == [3, 4]
    assert rig.finished == {RequestId("r"): "stop"}
    assert rig.scheduler.num_drafted == 1


def test_nobody_waits_for_the_guesses_of_another() -> None:
    rig = Rig(small_config(), cycle)
    for name, max_tokens in (("one", 8), ("other", 16)):
        rig.add(make_request(name, Prompt(tokens(*range(1, 6)) * 2), max_tokens))
    while not rig.finished:
        rig.step()
    assert rig.scheduler.num_drafted == 0
    rig.run()
    assert rig.scheduler.num_drafted > 0, "the other is alone now"


def names(sequences: Iterable[str]) -> set[RequestId]:
    return {RequestId(name) for name in sequences}


def test_one_whose_grammar_is_being_compiled_lets_others_pass_and_holds_no_slot() -> None:
    rig = Rig(small_config())
    rig.backend.held = names(["held 1", "held 2", "held 3"])
    for name in ("held 1", "held 2", "held 3", "free"):
        rig.add(make_request(name, Prompt(tokens(2, 3)), 2))
    while not rig.finished:
        rig.step()
    assert set(rig.finished) == names(["free"])
    assert not rig.scheduler.plan().plan.items, "nothing is left to compute"
    rig.scheduler.check_invariants()
    rig.backend.held = names(["held 1"])
    while len(rig.finished) < 3:
        rig.step()
    rig.scheduler.abort(RequestId("held 1"))
    assert not rig.scheduler.has_work
    assert rig.backend.num_samplers == 0


@pytest.mark.parametrize("ends_at", [1, 3])
def test_a_backend_may_end_an_answer_with_its_token(ends_at: int) -> None:
    rig = Rig(small_config())
    rig.add(make_request("r", Prompt(tokens(5)), 9))
    expected = alone(make_request("r", Prompt(tokens(5)), 9))
    while len(rig.texts[RequestId("r")]) < ends_at:
        if len(rig.texts[RequestId("r")]) == ends_at - 1:
            rig.backend.ending = names(["r"])
        rig.step()
    assert rig.finished == {RequestId("r"): "stop"}
    assert rig.texts[RequestId("r")] == expected[:ends_at]
