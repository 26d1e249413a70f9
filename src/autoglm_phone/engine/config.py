"""What the engine is told at start."""

from dataclasses import dataclass

MAX_CHUNK = 64  # prompt tokens beside running streams, however fast the machine is


@dataclass(frozen=True)
class EngineConfig:
    """Limits in tokens, sequences, bytes and seconds.

    max_model_len      window: prompt and answer of one request
    kv_tokens          cells of the KV cache, shared by all sequences
    max_running        sequences that are computed at once; see max_seats
    max_waiting        requests that may wait beyond those; more are refused
    max_cached         finished prefixes that may stay in the KV cache
    idle_kv_tokens     cells that finished prefixes alone may hold; they slow every step, so the rest is spilled
    spill_bytes        memory for prefixes moved out of the KV cache; 0 evicts instead
    prefill_chunk      prompt tokens a step while others decode; None adapts it to `step_target_s`
    prefill_chunk_idle prompt tokens a step while nobody decodes
    step_target_s      longest that a running stream should wait for a chunk of prompt, when prefill_chunk is None
    speculation        compute tokens before they are drawn, where they are forced or likely; answers stay the same
    max_embed_bytes    embeddings that the prompts of open requests may hold together
    max_draft          likely tokens that are computed ahead in one step
    """

    max_model_len: int = 8192
    kv_tokens: int = 16_384
    max_running: int = 8
    max_waiting: int = 64
    max_cached: int = 16
    idle_kv_tokens: int = 256
    spill_bytes: int = 96 << 20
    prefill_chunk: int | None = None
    prefill_chunk_idle: int = 128
    step_target_s: float = 0.09
    speculation: bool = True
    max_embed_bytes: int = 256 << 20
    max_draft: int = 15

    def __post_init__(self) -> None:
        if self.max_model_len > self.kv_tokens:
            raise ValueError(f"a window of {self.max_model_len} does not fit {self.kv_tokens} KV tokens")

    @property
    def max_guesses(self) -> int:
        """max_draft, or none without speculation: positions of a step that have logits besides the last ones."""
        return self.max_draft if self.speculation else 0

    @property
    def max_seats(self) -> int:
        """max_running, and a few that only a client of whom nothing runs may take: he waits for nobody's answer."""
        return self.max_running + max(1, self.max_running // 4)

    @property
    def max_slots(self) -> int:
        return max(self.max_running + self.max_cached, self.max_seats)

    @property
    def max_step_tokens(self) -> int:
        return max(self.prefill_chunk or MAX_CHUNK, self.prefill_chunk_idle) + self.max_seats
