"""What the llama.cpp backend is told at start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LlamaCppConfig:
    """kv_tokens      cells of the unified KV cache, shared by all slots
    max_slots         sequences that may hold KV at once, running and cached
    max_step_tokens   most positions in one step
    threads           CPU threads of a step
    max_draft         most guesses in one step
    """

    model_file: Path
    kv_tokens: int
    max_slots: int
    max_step_tokens: int
    threads: int
    max_draft: int = 0
