"""Conversation and the readings of its media to a Prompt that fits the window."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoglm_phone.chat.chat_request import ChatRequest, RawPrompt, Thinking, Truncation
from autoglm_phone.chat.media_spans import PlacedMedium, num_more_tokens, with_embeddings
from autoglm_phone.chat.media_text import MediaPart, is_chinese, media_text
from autoglm_phone.chat.thinking_style import ThinkingStyle
from autoglm_phone.chat.turns import Readings, Turn, message_text, turns
from autoglm_phone.chat.window import TurnSize, num_dropped_turns, too_long
from autoglm_phone.core.conversation import AudioPart, ImagePart, Message
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.module import Embeddings, Reading
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.text.chat_template import ChatTemplate, MediaMark, TemplateMessage
from autoglm_phone.text.grammar import either_grammar
from autoglm_phone.text.piece import Piece
from autoglm_phone.text.reasoning import THINK
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.text.tool_prompt import tools_block, tools_grammar

MIN_ANSWER_TOKENS = 16


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
    has_thought: the prompt ends inside a thought. opens_answer: it ends behind the tag that opens an answer.
    has_answer_tag: closing a thought opens such a tag.
    grammar: what the answer must follow, tool calls included.
    """

    prompt: Prompt
    max_tokens: int
    image_tokens: int = 0
    audio_tokens: int = 0
    dropped_messages: int = 0
    thought_lead: str = ""
    has_thought: bool = False
    opens_answer: bool = False
    has_answer_tag: bool = False
    grammar: str = ""


class PromptBuilder:
    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer, config: PromptConfig) -> None:
        self._template, self._tokenizer, self._config = template, tokenizer, config
        self._style = ThinkingStyle.of(template, tokenizer)

    def build(self, request: ChatRequest, readings: Readings) -> BuiltPrompt:
        """Raises ContextLengthExceeded if the prompt does not fit, even after what the policy allows to drop."""
        self._check_tokens(request)
        if isinstance(request.conversation, RawPrompt):
            return self._build_raw(request, request.conversation)
        wanted = request.max_tokens or self._config.max_tokens
        truncation = request.truncation or self._config.truncation
        limit = self._config.max_model_len - min(wanted, self._reserve(truncation))
        messages = list(request.conversation.messages)
        said = [Piece(message_text(messages.pop(), readings))] if request.continues_last else []
        system, messages = self._split_system(request, messages, readings)
        thinking = _settled(request)
        lead = "" if self._style.is_native or not thinking.is_on else _thought_lead(messages)
        opening = self._style.opening(thinking, lead)
        made = turns(messages, readings, self._mark_of)
        self._refuse_hopeless(system, made, limit, truncation)

        def tokenize(kept: Sequence[Turn]) -> list[TokenId]:
            return self._template.tokenize(
                [system, *(turn.message for turn in kept)],
                opening=[Piece(opening, is_trusted=True), *said],
                **self._style.switches(thinking),
            )

        tokens = tokenize(made)
        dropped = 0
        if (total := len(tokens) + num_more_tokens(_media(made))) > limit:
            dropped = self._fit(made, limit, truncation, total)
            tokens = tokenize(made[dropped:])
        prompt = with_embeddings(tokens, _media(made[dropped:]))
        kept = [message for turn in made[dropped:] for message in turn.sources]
        return BuiltPrompt(
            prompt=prompt,
            max_tokens=min(wanted, self._config.max_model_len - len(prompt)),
            image_tokens=self._media_tokens(kept, readings, ImagePart),
            audio_tokens=self._media_tokens(kept, readings, AudioPart),
            dropped_messages=len(messages) - len(kept),
            thought_lead=lead,
            has_thought=bool(thinking.is_on) or (thinking.is_on is None and self._style.is_opened),
            opens_answer=opening.endswith(self._style.closing) and self._style.has_answer_tag,
            has_answer_tag=self._style.has_answer_tag,
            grammar=_grammar(request),
        )

    def close_thought(self, built: BuiltPrompt, thought: str, num_generated: int) -> tuple[Prompt, int]:
        """The prompt that asks for the answer behind a finished thought, and the tokens left for it."""
        tag = "" if built.has_thought else f"{THINK}\n"  # the model opened it itself
        closed = self._template.join(
            [Piece(tag, is_trusted=True), Piece(thought.rstrip()), Piece(self._style.closing, is_trusted=True)]
        )
        prompt = Prompt((*built.prompt.tokens, *closed), built.prompt.embeds)
        return prompt, min(built.max_tokens - num_generated, self._config.max_model_len - len(prompt))

    def _build_raw(self, request: ChatRequest, raw: RawPrompt) -> BuiltPrompt:
        wanted = request.max_tokens or self._config.max_tokens
        limit = self._config.max_model_len - min(wanted, MIN_ANSWER_TOKENS)
        if len(raw.text) // self._tokenizer.longest_token_chars > limit:
            raise too_long(f"the prompt has {len(raw.text)} characters", limit, "error", param="prompt")
        tokens = raw.tokens or tuple(self._tokenizer.encode_trusted(raw.text))
        if not tokens:
            raise InvalidRequest("`prompt`: it is empty; send at least one token", param="prompt")
        if len(tokens) > limit:
            raise too_long(f"the prompt has {len(tokens)} tokens", limit, "error", param="prompt")
        max_tokens = min(wanted, self._config.max_model_len - len(tokens))
        return BuiltPrompt(Prompt(tokens), max_tokens, grammar=request.grammar)

    def _check_tokens(self, request: ChatRequest) -> None:
        raw = request.conversation.tokens if isinstance(request.conversation, RawPrompt) else ()
        given = {
            "logit_bias": [token for token, _ in request.sampling.logit_bias],
            "stop_token_ids": request.stop_tokens,
            "prompt": raw,
        }
        for param, tokens in given.items():
            wrong = next((token for token in tokens if not 0 <= token < self._tokenizer.vocab_size), None)
            if wrong is not None:
                raise InvalidRequest(
                    f"`{param}`: there is no token {wrong}, only 0 to {self._tokenizer.vocab_size - 1}", param=param
                )

    def _refuse_hopeless(
        self, system: TemplateMessage, made: Sequence[Turn], limit: int, truncation: Truncation
    ) -> None:
        """Spare the work of tokenising megabytes that cannot fit by their length alone."""
        first = _exchanges(made)[-1][0] if made and truncation == "auto" else 0
        num_chars = system.num_chars + sum(turn.message.num_chars for turn in made[first:])
        at_least = num_chars // self._tokenizer.longest_token_chars
        if at_least > limit:
            raise too_long(f"the prompt has more than {at_least} tokens", limit, truncation)

    def _reserve(self, truncation: Truncation) -> int:
        """Tokens kept free for the answer: a share where turns may go, little where a refusal is the alternative."""
        return self._config.max_model_len // 4 if truncation == "auto" else MIN_ANSWER_TOKENS

    def _split_system(
        self, request: ChatRequest, messages: Sequence[Message], readings: Readings
    ) -> tuple[TemplateMessage, list[Message]]:
        """One system message in front, even if empty: a template may otherwise put in its maker's own."""
        rest = list(messages)
        leading = []
        while rest and rest[0].role == "system":
            leading.append(message_text(rest.pop(0), readings))
        if not leading and request.use_default_system_prompt and self._config.use_default_system_prompt:
            leading = [self._config.system_prompt]
        tools = tools_block(request.tools.specs) if request.tools.are_offered else ()
        return TemplateMessage("system", (Piece("\n\n".join(leading)), *tools)), rest

    def _fit(self, made: Sequence[Turn], limit: int, truncation: Truncation, total: int) -> int:
        """How many of the oldest template messages go."""
        bare = TemplateMessage("system", (Piece(""),))  # stands for the real one: a turn's size does not depend on it
        frame = len(self._template.tokenize([bare]))
        sizes = []
        for start, end in _exchanges(made):
            tokens = self._template.tokenize([bare, *(turn.message for turn in made[start:end])])
            sizes.append(TurnSize(len(tokens) - frame + num_more_tokens(_media(made[start:end])), end - start))
        fixed = total - sum(size.tokens for size in sizes)
        dropped = num_dropped_turns(fixed, sizes, limit, truncation)
        return sum(size.num_messages for size in sizes[:dropped])

    def _media_tokens(self, messages: Sequence[Message], readings: Readings, kind: type[MediaPart]) -> int:
        """Tokens of the spans of all media of a kind, counted by themselves."""
        return sum(
            self._span_tokens(part, readings[part].reading, in_chinese=is_chinese(message.parts))
            for message in messages
            for part in message.parts
            if isinstance(part, kind)
        )

    def _span_tokens(self, part: MediaPart, reading: Reading | Embeddings, *, in_chinese: bool) -> int:
        if isinstance(reading, Embeddings):
            return len(reading)
        span = media_text(part, reading, 1, in_chinese=in_chinese)
        return len(self._tokenizer.encode(span.before + span.after))

    def _mark_of(self, part: MediaPart, made: Embeddings) -> MediaMark:
        if made.mark is not None:
            return self._template.own_mark(made.mark)
        return self._template.picture_mark if isinstance(part, ImagePart) else self._template.sound_mark


def _settled(request: ChatRequest) -> Thinking:
    """Where the form of the answer is fixed from its first word, and where a turn goes on, there is no free thought."""
    is_fixed = bool(request.grammar) or request.continues_last or request.tools.choice == "required"
    return Thinking(is_on=False) if request.thinking.is_on is None and is_fixed else request.thinking


def _grammar(request: ChatRequest) -> str:
    tools = request.tools
    if not tools.are_offered:
        return request.grammar
    is_required, is_parallel = tools.choice == "required", tools.is_parallel
    if is_required or not request.grammar:
        # Behind a result the 0.5B decoder would make the same call for ever.
        may_be_bare = isinstance(request.conversation, RawPrompt) or request.conversation.messages[-1].role != "tool"
        return tools_grammar(
            tools.specs,
            only=tools.only,
            is_required=is_required,
            is_parallel=is_parallel,
            may_be_bare=may_be_bare,
        )
    # An answer that has a form of its own is either that or calls, with no free text before them.
    calls = tools_grammar(tools.specs, only=None, is_required=True, is_parallel=is_parallel)
    return either_grammar(request.grammar, calls)


def _thought_lead(messages: Sequence[Message]) -> str:
    """First words that make a decoder without a thinking mode of its own think, in the user's language.

    Without them the 0.5B decoder puts its answer into the thought, in English whatever was asked.
    """
    newest = next((message for message in reversed(messages) if message.role == "user"), None)
    return "好的，用户问的是" if newest is not None and is_chinese(newest.parts) else "Okay, the user asks"


def _media(made: Sequence[Turn]) -> list[PlacedMedium]:
    return [one for turn in made for one in turn.media]


def _exchanges(made: Sequence[Turn]) -> list[tuple[int, int]]:
    """Runs of turns that belong together: from one question up to the next."""
    starts = [0, *(index for index, turn in enumerate(made) if index and turn.begins)]
    return list(zip(starts, [*starts[1:], len(made)], strict=True)) if made else []
