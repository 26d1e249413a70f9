"""What one chat asks for, free of any wire format."""

from dataclasses import dataclass, field
from typing import Literal

from autoglm_phone.core.conversation import Conversation, ToolSpec
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import Client, SamplingParams

Truncation = Literal["auto", "error"]


@dataclass(frozen=True)
class RawPrompt:
    """A prompt that its caller has written whole: text in which control tokens count, or tokens."""

    text: str = ""
    tokens: tuple[TokenId, ...] = ()


@dataclass(frozen=True)
class Thinking:
    """is_on None leaves it to the model. At its budget a thought is closed and the answer follows.

    budget: in tokens, or None for `share` of what the whole answer may have. is_sent: is the thought sent as well?
    """

    is_on: bool | None = None
    budget: int | None = None
    share: float = 0.5
    is_sent: bool = True

    def budget_of(self, max_tokens: int) -> int:
        """Tokens that the thought may have; an eighth is always left for the answer."""
        wanted = int(max_tokens * self.share) if self.budget is None else self.budget
        return max(1, min(wanted, max_tokens - max(1, max_tokens // 8)))


@dataclass(frozen=True)
class Tools:
    """choice: call none, what the model wants, at least one, or (`only`) the one tool of this name."""

    specs: tuple[ToolSpec, ...] = ()
    choice: Literal["none", "auto", "required"] = "auto"
    only: str | None = None
    is_parallel: bool = True

    @property
    def are_offered(self) -> bool:
        return bool(self.specs) and self.choice != "none"


@dataclass(frozen=True)
class ChatRequest:
    """max_tokens None means the server's default, cut to what the window leaves.

    truncation None means the server's default. grammar: what the answer behind any thought must follow
    (`text/grammar.py`). top_logprobs as in core.request.Request. continues_last: the last message is an assistant's,
    and the answer goes on where it stops. client: among whom the decoder is shared; it changes no answer.
    """

    conversation: Conversation | RawPrompt
    sampling: SamplingParams
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[TokenId, ...] = ()
    ignore_eos: bool = False
    truncation: Truncation | None = None
    thinking: Thinking = field(default_factory=Thinking)
    tools: Tools = field(default_factory=Tools)
    grammar: str = ""
    num_choices: int = 1
    top_logprobs: int | None = None
    continues_last: bool = False
    use_default_system_prompt: bool = True
    client: Client = field(default_factory=Client)
