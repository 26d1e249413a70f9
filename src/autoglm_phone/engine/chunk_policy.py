"""How many prompt tokens may share a step, so that nobody who is streaming waits too long for them."""

from autoglm_phone.engine.config import MAX_CHUNK, EngineConfig

MIN_CHUNK = 4
FIRST_CHUNK = 16
FIRST_IDLE_CHUNK = 128
IDLE_STEP_S = 1.2  # longest step beside no stream, if tokens are slow: newcomers and hang-ups wait for its end
SMOOTHING = 0.2  # weight of the newest step; a noisy machine needs several to be believed


class ChunkPolicy:
    """A fixed chunk, or one that costs about `step_target_s`; alone, the idle one, or what IDLE_STEP_S allows.

    A prompt token's cost is learnt from steps without running streams. Mixed steps would say less: each running
    stream adds its own pass over the vocabulary, and a chunk that shrinks because of it only makes tokens dearer.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._token_s: float | None = None

    def size(self, num_decoding: int) -> int:
        """Prompt tokens for the next step beside `num_decoding` decoding sequences."""
        if num_decoding == 0:
            return min(self._config.prefill_chunk_idle, self._idle_bound())
        if self._config.prefill_chunk is not None:
            return self._config.prefill_chunk
        if self._token_s is None:
            return FIRST_CHUNK
        return max(MIN_CHUNK, min(int(self._config.step_target_s / self._token_s), MAX_CHUNK))

    def _idle_bound(self) -> int:
        return FIRST_IDLE_CHUNK if self._token_s is None else max(FIRST_CHUNK, int(IDLE_STEP_S / self._token_s))

    def observe(self, num_prefill: int, num_decoding: int, seconds: float) -> None:
        """Learn from a step; a small or a mixed one says little about a prompt token."""
        if num_prefill < FIRST_CHUNK or num_decoding:
            return
        token_s, known = seconds / num_prefill, self._token_s
        self._token_s = token_s if known is None else known + SMOOTHING * (token_s - known)
