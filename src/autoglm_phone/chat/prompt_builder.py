"""Conversation and the readings of its media to a Prompt that fits the window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from autoglm_phone.chat.chat_request import ChatRequest, Truncation
from autoglm_phone.chat.media_text import MediaPart, is_chinese, media_text
from autoglm_phone.chat.window import TurnSize, num_dropped_turns, too_long
from autoglm_phone.core.conversation import AudioPart, ImagePart, Message, Part, TextPart
from autoglm_phone.core.module import MediaReading
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.text.chat_template import ChatTemplate, TemplateMessage
from autoglm_phone.text.reasoning import ANSWER, END_THINK, THINK
from autoglm_phone.text.tokenizer import Tokenizer

MIN_ANSWER_TOKENS = 16

Readings = Mapping[Part, MediaReading]
"""The reading of each picture and sound of a conversation."""


@dataclass(frozen=True)
class PromptConfig:
    """max_model_len and max_tokens in tokens; the prompts are texts of the bundle."""

    max_model_len: int
    max_tokens: int
    truncation: Truncation
    system_prompt: str
    use_default_system_prompt: bool = True


@dataclass(frozen=True)
class BuiltPrompt:
    """max_tokens is what the window leaves for the answer, at most what was asked for.

    thought_lead: the first words of the thought, if one was asked for; they stand in the prompt already.
    """

    prompt: Prompt
    max_tokens: int
    image_tokens: int
    audio_tokens: int
    dropped_messages: int
    thought_lead: str


class PromptBuilder:
    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer, config: PromptConfig) -> None:
        self._template, self._tokenizer, self._config = template, tokenizer, config

    def build(self, request: ChatRequest, readings: Readings) -> BuiltPrompt:
        """Raises ContextLengthExceeded if the prompt does not fit, even after what the policy allows to drop."""
        wanted = request.max_tokens or self._config.max_tokens
        truncation = request.truncation or self._config.truncation
        limit = self._config.max_model_len - min(wanted, self._reserve(truncation))
        system, messages = self._split_system(request, readings)
        lead = _thought_lead(messages) if request.enable_thinking else ""
        opening = f"{THINK}\n{lead}" if request.enable_thinking else ""
        texts = [TemplateMessage(m.role, self._text(m, readings, n)) for n, m in _numbered(messages)]
        self._refuse_hopeless(system, texts, limit, truncation)
        tokens = self._template.tokenize([system, *texts], opening=opening)
        dropped = 0
        if len(tokens) > limit:
            dropped = self._fit(system, texts, limit, truncation, len(tokens))
            tokens = self._template.tokenize([system, *texts[dropped:]], opening=opening)
        kept = messages[dropped:]
        return BuiltPrompt(
            prompt=Prompt(tuple(tokens)),
            max_tokens=min(wanted, self._config.max_model_len - len(tokens)),
            image_tokens=self._media_tokens(kept, readings, ImagePart),
            audio_tokens=self._media_tokens(kept, readings, AudioPart),
            dropped_messages=dropped,
            thought_lead=lead,
        )

    def _refuse_hopeless(
        self, system: TemplateMessage, texts: Sequence[TemplateMessage], limit: int, truncation: Truncation
    ) -> None:
        """Spare the work of tokenising megabytes that cannot fit by their length alone."""
        first = _turns(texts)[-1][0] if texts and truncation == "auto" else 0
        num_chars = len(system.text) + sum(len(text.text) for text in texts[first:])
        at_least = num_chars // self._tokenizer.longest_token_chars
        if at_least > limit:
            raise too_long(f"the prompt has more than {at_least} tokens", limit, truncation)

    def _reserve(self, truncation: Truncation) -> int:
        """Tokens kept free for the answer: a share where turns may go, little where a refusal is the alternative."""
        return self._config.max_model_len // 4 if truncation == "auto" else MIN_ANSWER_TOKENS

    def close_thought(self, built: BuiltPrompt, thought: str, num_generated: int) -> tuple[Prompt, int]:
        """The prompt that asks for the answer behind a finished thought, and the tokens left for it.

        With an answer's tag opened the small decoder answers; without, it starts another thought or ends its turn.
        """
        closed = self._template.continue_turn(thought.rstrip(), f"\n{END_THINK}\n{ANSWER}\n")
        prompt = Prompt((*built.prompt.tokens, *closed))
        return prompt, min(built.max_tokens - num_generated, self._config.max_model_len - len(prompt))

    def _split_system(self, request: ChatRequest, readings: Readings) -> tuple[TemplateMessage, list[Message]]:
        """One system message in front, even if empty: a template may otherwise put in its maker's own."""
        messages = list(request.conversation.messages)
        leading = []
        while messages and messages[0].role == "system":
            leading.append(self._text(messages.pop(0), readings, {}))
        if not leading and request.use_default_system_prompt and self._config.use_default_system_prompt:
            leading = [self._config.system_prompt]
        return TemplateMessage("system", "\n\n".join(leading)), messages

    def _fit(
        self, system: TemplateMessage, texts: Sequence[TemplateMessage], limit: int, truncation: Truncation, total: int
    ) -> int:
        """How many of the oldest messages go."""
        bare = TemplateMessage("system", "")  # stands for the real one: a turn's size does not depend on it
        frame = len(self._template.tokenize([bare]))
        turns = [
            TurnSize(len(self._template.tokenize([bare, *texts[start:end]])) - frame, end - start)
            for start, end in _turns(texts)
        ]
        fixed = total - sum(turn.tokens for turn in turns)
        dropped = num_dropped_turns(fixed, turns, limit, truncation)
        return sum(turn.num_messages for turn in turns[:dropped])

    def _text(self, message: Message, readings: Readings, numbers: Mapping[Part, int]) -> str:
        """The message as one text: its parts in order, and at the end what is to be said of silent media."""
        blocks, notes = [], []
        in_chinese = is_chinese(message.parts)
        for part in message.parts:
            match part:
                case TextPart():
                    blocks.append(part.text)
                case ImagePart() | AudioPart():
                    span = media_text(part, readings[part], numbers.get(part, 1), in_chinese=in_chinese)
                    blocks.append(span.before)
                    notes.append(span.after)
                case _:
                    assert_never(part)
        return "\n\n".join(filter(None, ["\n".join(filter(None, blocks)), *notes]))

    def _media_tokens(self, messages: Sequence[Message], readings: Readings, kind: type[MediaPart]) -> int:
        """Tokens of the spans of all media of a kind, counted by themselves."""
        total = 0
        for message in messages:
            in_chinese = is_chinese(message.parts)
            for part in message.parts:
                if isinstance(part, kind):
                    span = media_text(part, readings[part], 1, in_chinese=in_chinese)
                    total += len(self._tokenizer.encode(span.before + span.after))
        return total


def _thought_lead(messages: Sequence[Message]) -> str:
    """First words that make a decoder without a thinking mode of its own think, in the user's language.

    Without them the 0.5B decoder puts its answer into the thought, in English whatever was asked.
    """
    newest = next((message for message in reversed(messages) if message.role == "user"), None)
    return "好的，用户问的是" if newest is not None and is_chinese(newest.parts) else "Okay, the user asks"


def _numbered(messages: Sequence[Message]) -> list[tuple[dict[Part, int], Message]]:
    """Pictures and sounds counted through the dialogue, each kind for itself."""
    counts = {ImagePart: 0, AudioPart: 0}
    result = []
    for message in messages:
        numbers: dict[Part, int] = {}
        for part in message.parts:
            if isinstance(part, (ImagePart, AudioPart)):
                counts[type(part)] += 1
                numbers[part] = counts[type(part)]
        result.append((numbers, message))
    return result


def _turns(texts: Sequence[TemplateMessage]) -> list[tuple[int, int]]:
    """Runs of messages that belong together: from one user message up to the next."""
    starts = [0, *(i for i, text in enumerate(texts) if i and text.role == "user" and texts[i - 1].role != "user")]
    return list(zip(starts, [*starts[1:], len(texts)], strict=True)) if texts else []
