import pytest

from autoglm_phone.engine.chunk_policy import FIRST_CHUNK, MIN_CHUNK, ChunkPolicy
from autoglm_phone.engine.config import MAX_CHUNK, EngineConfig
from autoglm_phone.engine.prompt_costs import PromptCosts


def test_alone_a_prompt_gets_the_large_chunk() -> None:
    assert ChunkPolicy(EngineConfig(prefill_chunk=7, prefill_chunk_idle=99)).size(0, 0) == 99


def test_alone_a_step_does_not_take_longer_than_a_newcomer_would_wait() -> None:
    policy = ChunkPolicy(EngineConfig(prefill_chunk_idle=512))
    assert policy.size(0, 0) == 128, "until a token's cost is known"
    policy.observe(128, 0, 0, 128 * 0.002)
    assert policy.size(0, 0) == 512
    slow = ChunkPolicy(EngineConfig(prefill_chunk_idle=512))
    slow.observe(128, 0, 0, 128 * 0.02)
    assert slow.size(0, 0) == 60
    slow.observe(128, 0, 0, 128 * 1000.0)
    assert slow.size(0, 0) == FIRST_CHUNK


def test_a_fixed_chunk_stays_whatever_is_measured() -> None:
    policy = ChunkPolicy(EngineConfig(prefill_chunk=7))
    policy.observe(128, 0, 0, 100.0)
    assert policy.size(3, 0) == 7


def test_the_chunk_follows_the_measured_cost_of_a_prompt_token() -> None:
    policy = ChunkPolicy(EngineConfig(step_target_s=0.1))
    assert policy.size(1, 0) == FIRST_CHUNK
    policy.observe(128, 0, 0, 128 * 0.005)
    assert policy.size(1, 0) == policy.size(8, 0) == 20
    for _ in range(50):
        policy.observe(128, 0, 0, 128 * 0.01)
    assert policy.size(1, 0) == 10


def test_the_chunk_has_bounds_and_mixed_or_small_steps_teach_nothing() -> None:
    policy = ChunkPolicy(EngineConfig())
    policy.observe(16, 8, 0, 60.0)
    policy.observe(2, 0, 0, 60.0)
    assert policy.size(1, 0) == FIRST_CHUNK
    policy.observe(128, 0, 0, 600.0)
    assert policy.size(1, 0) == MIN_CHUNK
    fast = ChunkPolicy(EngineConfig())
    fast.observe(128, 0, 0, 0.001)
    assert fast.size(1, 0) == MAX_CHUNK


def test_the_chunk_shrinks_as_tokens_further_into_a_prompt_cost_more() -> None:
    policy = ChunkPolicy(EngineConfig(step_target_s=0.1))
    for depth in (0, 500, 1000, 1500, 2000) * 5:
        policy.observe(128, 0, depth, 128 * (0.002 + 0.002 * depth / 1000))
    assert 45 <= policy.size(1, 0) <= 55
    assert 23 <= policy.size(1, 1000) <= 27
    assert 9 <= policy.size(1, 4000) <= 12


def test_before_depth_is_learnt_it_counts_a_little_and_noise_never_makes_it_count_less_than_nothing() -> None:
    costs = PromptCosts()
    costs.observe(0.002, 0)
    assert costs.token_s(0) == 0.002
    assert costs.token_s(1000) == pytest.approx(0.0026)
    for depth in (0, 2000) * 5:
        costs.observe(0.004 if depth == 0 else 0.001, depth)
    assert costs.token_s(0) == costs.token_s(8000)


def test_a_line_that_falls_below_nothing_at_the_start_is_not_believed_there() -> None:
    costs = PromptCosts()
    for depth in (2000, 1000) * 10:
        costs.observe(0.01 if depth == 2000 else 0.001, depth)
    shallow, deep = costs.token_s(0), costs.token_s(4000)
    assert shallow is not None
    assert deep is not None
    assert 0.001 < shallow < 0.01 < deep
