"""How many prompt tokens may share a step, so that nobody who is streaming waits too long for them."""

from autoglm_phone.engine.config import MAX_CHUNK, EngineConfig
from autoglm_phone.engine.prompt_costs import PromptCosts

MIN_CHUNK = 4
FIRST_CHUNK = 16
FIRST_IDLE_CHUNK = 128
IDLE_STEP_S = 1.2  # longest step beside no stream, if tokens are slow: newcomers and hang-ups wait for its end


class ChunkPolicy:
    """A fixed chunk, or one that costs about `step_target_s`; alone, the idle one, or what IDLE_STEP_S allows.

    A prompt token's cost is learnt from steps without running streams. Mixed steps would say less: each running
    stream adds its own pass over the vocabulary, and a chunk that shrinks because of it only makes tokens dearer.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._costs = PromptCosts()

    def size(self, num_decoding: int, depth: float) -> int:
        """Prompt tokens for the next step beside `num_decoding` decoding sequences, `depth` tokens into prompts."""
        token_s = self._costs.token_s(depth)
        if num_decoding == 0:
            bound = FIRST_IDLE_CHUNK if token_s is None else max(FIRST_CHUNK, int(IDLE_STEP_S / token_s))
            return min(self._config.prefill_chunk_idle, bound)
        if self._config.prefill_chunk is not None:
            return self._config.prefill_chunk
        if token_s is None:
            return FIRST_CHUNK
        return max(MIN_CHUNK, min(int(self._config.step_target_s / token_s), MAX_CHUNK))

    def observe(self, num_prefill: int, num_decoding: int, depth: float, seconds: float) -> None:
        """Learn from a step; a small or a mixed one says little about a prompt token."""
        if num_prefill >= FIRST_CHUNK and num_decoding == 0:
            self._costs.observe(seconds / num_prefill, depth)
