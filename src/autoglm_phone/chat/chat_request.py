"""What one chat asks for, free of any wire format."""

from dataclasses import dataclass
from typing import Literal

from autoglm_phone.core.conversation import Conversation
from autoglm_phone.core.request import SamplingParams

Truncation = Literal["auto", "error"]


@dataclass(frozen=True)
class ChatRequest:
    """max_tokens None means the server's default, cut to what the window leaves.

    truncation None means the server's default. With enable_thinking the answer is preceded by a thought,
    which is sent only if return_reasoning is set.
    """

    conversation: Conversation
    sampling: SamplingParams
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    truncation: Truncation | None = None
    enable_thinking: bool = False
    return_reasoning: bool = True
    use_default_system_prompt: bool = True
