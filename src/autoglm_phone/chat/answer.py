"""One answer's tokens to deltas, and the thought before it. No engine, no clock."""

from collections.abc import Sequence

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.delta import ContentDelta, ReasoningDelta
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import FinishReason
from autoglm_phone.text.reasoning import ANSWER, END_ANSWER, END_THINK, ReasoningParser
from autoglm_phone.text.stop import StopMatcher
from autoglm_phone.text.stream_decoder import StreamDecoder
from autoglm_phone.text.tokenizer import Tokenizer

TextDelta = ReasoningDelta | ContentDelta


class Thought:
    """What stands between an opened thought and its end: the closing tag, the model's own end, or the budget."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._decoder = StreamDecoder(tokenizer.decode_bytes)
        self._end = StopMatcher([END_THINK, ANSWER])
        self.text = ""
        self.num_tokens = 0
        self.is_finished = False

    def push(self, tokens: Sequence[TokenId], finish: FinishReason | None) -> str:
        """The text that is certain now."""
        self.num_tokens += len(tokens)
        is_final = finish is not None
        text = self._end.push(self._decoder.push(tokens, final=is_final), final=is_final)
        self.text += text
        self.is_finished = is_final or self._end.has_stopped
        return text


class Answer:
    """StreamDecoder, then StopMatcher, then ReasoningParser. `finish` is set once the answer is complete."""

    def __init__(self, request: ChatRequest, tokenizer: Tokenizer) -> None:
        self._sends_reasoning = request.return_reasoning
        self._decoder = StreamDecoder(tokenizer.decode_bytes)
        # The answer behind a thought is opened with a tag for it, so its closing tag ends it.
        tags = (END_ANSWER, f"\n{END_ANSWER}", END_THINK) if request.enable_thinking else ()
        self._stops = StopMatcher((*request.stop, *tags))
        self._reasoning = ReasoningParser()
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
