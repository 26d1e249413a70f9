"""How many prompt tokens may share a step, so that nobody who is streaming waits too long."""

from autoglm_phone.engine.config import EngineConfig

MIN_CHUNK = 4
MAX_CHUNK = 64
FIRST_CHUNK = 16
SMOOTHING = 0.2  # weight of the newest step; a noisy machine needs several to be believed


class ChunkPolicy:
    """A fixed chunk, or one that follows the measured seconds a token of steps that mix prefill and decode."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._token_s: float | None = None

    def size(self, num_decoding: int) -> int:
        """Prompt tokens for the next step beside `num_decoding` decoding sequences."""
        if num_decoding == 0:
            return self._config.prefill_chunk_idle
        if self._config.prefill_chunk is not None:
            return self._config.prefill_chunk
        if self._token_s is None:
            return FIRST_CHUNK
        room = int(self._config.step_target_s / self._token_s) - num_decoding
        return max(MIN_CHUNK, min(room, MAX_CHUNK, self._config.prefill_chunk_idle))

    def observe(self, num_prefill: int, num_decoding: int, seconds: float) -> None:
        """Learn from a step; those without a prompt chunk beside running streams say nothing about it."""
        if num_prefill < MIN_CHUNK or num_decoding == 0:
            return
        token_s = seconds / (num_prefill + num_decoding)
        known = self._token_s
        self._token_s = token_s if known is None else known + SMOOTHING * (token_s - known)
