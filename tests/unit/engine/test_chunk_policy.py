from autoglm_phone.engine.chunk_policy import FIRST_CHUNK, MIN_CHUNK, ChunkPolicy
from autoglm_phone.engine.config import MAX_CHUNK, EngineConfig


def test_alone_a_prompt_gets_the_large_chunk() -> None:
    assert ChunkPolicy(EngineConfig(prefill_chunk=7, prefill_chunk_idle=99)).size(0) == 99


def test_alone_a_step_does_not_take_longer_than_a_newcomer_would_wait() -> None:
    policy = ChunkPolicy(EngineConfig(prefill_chunk_idle=512))
    assert policy.size(0) == 128, "until a token's cost is known"
    policy.observe(128, 0, 128 * 0.002)
    assert policy.size(0) == 512
    slow = ChunkPolicy(EngineConfig(prefill_chunk_idle=512))
    slow.observe(128, 0, 128 * 0.02)
    assert slow.size(0) == 60
    slow.observe(128, 0, 128 * 1000.0)
    assert slow.size(0) == FIRST_CHUNK


def test_a_fixed_chunk_stays_whatever_is_measured() -> None:
    policy = ChunkPolicy(EngineConfig(prefill_chunk=7))
    policy.observe(128, 0, 100.0)
    assert policy.size(3) == 7


def test_the_chunk_follows_the_measured_cost_of_a_prompt_token() -> None:
    policy = ChunkPolicy(EngineConfig(step_target_s=0.1))
    assert policy.size(1) == FIRST_CHUNK
    policy.observe(128, 0, 128 * 0.005)
    assert policy.size(1) == policy.size(8) == 20
    for _ in range(50):
        policy.observe(128, 0, 128 * 0.01)
    assert policy.size(1) == 10


def test_the_chunk_has_bounds_and_mixed_or_small_steps_teach_nothing() -> None:
    policy = ChunkPolicy(EngineConfig())
    policy.observe(16, 8, 60.0)
    policy.observe(2, 0, 60.0)
    assert policy.size(1) == FIRST_CHUNK
    policy.observe(128, 0, 600.0)
    assert policy.size(1) == MIN_CHUNK
    fast = ChunkPolicy(EngineConfig())
    fast.observe(128, 0, 0.001)
    assert fast.size(1) == MAX_CHUNK
