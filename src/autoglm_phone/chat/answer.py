"""One answer's tokens to deltas, and the thought before it. No engine, no clock."""

import codecs
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoglm_phone.chat.delta import (
    ContentDelta,
    ReasoningDelta,
    StopReason,
    TokenChance,
    TokenLog,
    ToolCallDelta,
)
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import FinishReason, TokenEvent, TokenLogprobs
from autoglm_phone.text.reasoning import ANSWER, END_ANSWER, END_THINK, ReasoningParser, Split
from autoglm_phone.text.stop import StopMatcher
from autoglm_phone.text.stream_decoder import StreamDecoder
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.text.tool_calls import CallPiece, ContentPiece, ToolCallParser

TextDelta = ReasoningDelta | ContentDelta | ToolCallDelta


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


@dataclass(frozen=True)
class AnswerForm:
    """How an answer is to be read.

    is_raw        it is a text as it comes: no tags, no calls
    is_tagged     an answer's tag was opened for it, so the closing tag ends it
    tool_names    the tools that it may call; None if none are offered
    """

    stop: tuple[str, ...] = ()
    is_raw: bool = False
    is_tagged: bool = False
    sends_reasoning: bool = True
    tool_names: frozenset[str] | None = None
    wants_logs: bool = False


class Answer:
    """StreamDecoder, StopMatcher, ReasoningParser, ToolCallParser. `finish` is set once the answer is complete."""

    def __init__(self, form: AnswerForm, tokenizer: Tokenizer, choice: int = 0) -> None:
        self._form, self._choice = form, choice
        self._decoder = StreamDecoder(tokenizer.decode_bytes)
        tags = (END_ANSWER, f"\n{END_ANSWER}", END_THINK) if form.is_tagged else ()
        self._stops = StopMatcher((*form.stop, *tags))
        self._reasoning = ReasoningParser()
        self._calls = ToolCallParser(form.tool_names) if form.tool_names is not None else None
        self._logs = _Logs(tokenizer.decode_bytes) if form.wants_logs else None
        self.thought = ""
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.num_calls = 0
        self.finish: StopReason | None = None

    @property
    def is_thinking(self) -> bool:
        return not self._form.is_raw and self._reasoning.is_thinking

    def push(self, event: TokenEvent) -> list[TextDelta]:
        """Deltas that are certain now. After a stop string the finish reason is "stop", whatever the engine says."""
        self.completion_tokens += len(event.tokens)
        was_thinking = self.is_thinking
        if was_thinking:
            self.reasoning_tokens += len(event.tokens)
        is_final = event.finish is not None
        text = self._stops.push(self._decoder.push(event.tokens, final=is_final), final=is_final)
        finish: FinishReason | None = "stop" if self._stops.has_stopped else event.finish
        logs = self._logs.push(event.tokens, event.logprobs, len(text)) if self._logs is not None else ()
        deltas = self._split(text, () if was_thinking else logs, is_final=finish is not None)
        if finish is not None:
            self.finish = "tool_calls" if self.num_calls and finish == "stop" else finish
        return deltas

    def end_thought(self) -> list[TextDelta]:
        """Give out what is held back of a thought that is cut off here."""
        return self._split("", (), is_final=True)

    def _split(self, text: str, logs: tuple[TokenLog, ...], *, is_final: bool) -> list[TextDelta]:
        if self._form.is_raw:
            return [ContentDelta(text, self._choice, logs)] if text or logs else []
        split = self._reasoning.push(text, final=is_final)
        self.thought += split.reasoning
        deltas: list[TextDelta] = []
        if split.reasoning and self._form.sends_reasoning:
            deltas.append(ReasoningDelta(split.reasoning, self._choice))
        return deltas + self._say(split, logs, is_final=is_final)

    def _say(self, split: Split, logs: tuple[TokenLog, ...], *, is_final: bool) -> list[TextDelta]:
        if self._calls is None:
            return [ContentDelta(split.content, self._choice, logs)] if split.content or logs else []
        deltas: list[TextDelta] = []
        for piece in self._calls.push(split.content, final=is_final):
            match piece:
                case ContentPiece(text):
                    deltas.append(ContentDelta(text, self._choice))
                case CallPiece(index, name, arguments):
                    is_first = index == self.num_calls
                    self.num_calls = max(self.num_calls, index + 1)
                    call_id = f"call_{uuid.uuid4().hex[:24]}" if is_first else None
                    deltas.append(ToolCallDelta(index, arguments, call_id, name if is_first else None, self._choice))
        if logs:
            deltas.append(ContentDelta("", self._choice, logs))
        return deltas


class _Logs:
    """Holds log-probabilities back until the text that their tokens begin in is given out."""

    def __init__(self, decode_bytes: Callable[[TokenId], bytes]) -> None:
        self._decode_bytes = decode_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held: deque[TokenLog] = deque()
        self._num_chars = 0
        self._num_given = 0

    def push(
        self, tokens: Sequence[TokenId], logprobs: Sequence[TokenLogprobs], num_chars: int
    ) -> tuple[TokenLog, ...]:
        """num_chars: how many characters of the answer are given out now."""
        for token, logs in zip(tokens, logprobs, strict=True):
            data = self._decode_bytes(token)
            top = tuple(TokenChance(self._decode_bytes(other), logprob) for other, logprob in logs.top)
            self._held.append(TokenLog(TokenChance(data, logs.logprob), top, self._num_chars))
            self._num_chars += len(self._utf8.decode(data))
        self._num_given += num_chars
        given = []
        while self._held and self._held[0].offset < self._num_given:
            given.append(self._held.popleft())
        return tuple(given)
