"""Answer: one answer's tokens to deltas. StreamDecoder, then StopMatcher, then ReasoningParser; no engine, no clock."""

from collections.abc import Sequence

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.delta import ContentDelta, ReasoningDelta
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import FinishReason
from autoglm_phone.text.reasoning import ReasoningParser
from autoglm_phone.text.stop import StopMatcher
from autoglm_phone.text.stream_decoder import StreamDecoder
from autoglm_phone.text.tokenizer import Tokenizer

TextDelta = ReasoningDelta | ContentDelta


class Answer:
    """Feed it tokens as they come; `finish` is set once the answer is complete."""

    def __init__(self, request: ChatRequest, tokenizer: Tokenizer, *, is_thought_open: bool) -> None:
        self._sends_reasoning = request.return_reasoning
        self._decoder = StreamDecoder(tokenizer.decode_bytes)
        self._stops = StopMatcher(request.stop)
        self._reasoning = ReasoningParser(starts_inside=is_thought_open)
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.finish: FinishReason | None = None

    def push(self, tokens: Sequence[TokenId], finish: FinishReason | None) -> list[TextDelta]:
        """Deltas that are certain now. After a stop string the finish reason is "stop", whatever the engine says."""
        self.completion_tokens += len(tokens)
        if self._reasoning.is_thinking:
            self.reasoning_tokens += len(tokens)
        is_final = finish is not None
        text = self._stops.push(self._decoder.push(tokens, final=is_final), final=is_final)
        self.finish = "stop" if self._stops.has_stopped else finish
        split = self._reasoning.push(text, final=self.finish is not None)
        deltas: list[TextDelta] = []
        if split.reasoning and self._sends_reasoning:
            deltas.append(ReasoningDelta(split.reasoning))
        if split.content:
            deltas.append(ContentDelta(split.content))
        return deltas
