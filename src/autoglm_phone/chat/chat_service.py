"""ChatService: owns a chat from the conversation to its last delta."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from autoglm_phone.chat.answer import Answer, AnswerForm, Thought
from autoglm_phone.chat.chat_request import ChatRequest, RawPrompt
from autoglm_phone.chat.choices import interleave
from autoglm_phone.chat.delta import Delta, Finished, ReasoningDelta, Started, Usage
from autoglm_phone.chat.observer import ChatTimes, Observer
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder
from autoglm_phone.core.conversation import AudioPart, ImagePart, Part
from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.module import MediaDoor, MediaReading
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Client, EngineDoor, Request, TokenEvent
from autoglm_phone.text.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class _Asked:
    """One choice of a request. times are those of the whole request."""

    request: ChatRequest
    built: BuiltPrompt
    index: int
    times: ChatTimes

    def usage(self, answer: Answer, thought_tokens: int) -> Usage:
        return Usage(
            prompt_tokens=len(self.built.prompt),
            completion_tokens=thought_tokens + answer.completion_tokens,
            cached_tokens=self.times.cached_tokens,
            image_tokens=self.built.image_tokens,
            audio_tokens=self.built.audio_tokens,
            reasoning_tokens=thought_tokens + answer.reasoning_tokens,
            dropped_messages=self.built.dropped_messages,
        )


class ChatService:
    """media None: no media module at all. One instance serves all requests; it holds nothing of any of them."""

    def __init__(
        self,
        engine: EngineDoor,
        media: MediaDoor | None,
        builder: PromptBuilder,
        tokenizer: Tokenizer,
        observer: Observer,
    ) -> None:
        self._engine, self._media, self._builder = engine, media, builder
        self._tokenizer, self._observer = tokenizer, observer

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """One Started, deltas, one Finished for each choice. Closing it early frees the engine's slots at once.

        Raises RequestError before Started, and EngineError, or InvalidRequest for a grammar, at any time.
        """
        times = ChatTimes(time.monotonic())
        try:
            built = await self.prepare(request)
            times.prompt_tokens = len(built.prompt)
            yield Started(len(built.prompt), built.dropped_messages)

            def choice(index: int) -> AsyncGenerator[Delta, None]:
                return self._answer(_Asked(request, built, index, times))

            count = request.num_choices
            async with aclosing(choice(0) if count == 1 else interleave(choice, count, share_prompt=True)) as deltas:
                async for delta in deltas:
                    yield delta
        except Exception as error:
            times.outcome = type(error).__name__
            raise
        finally:
            self._observer.finished(times, time.monotonic())

    async def prepare(self, request: ChatRequest) -> BuiltPrompt:
        """The prompt that would be answered, its media read. Raises RequestError."""
        readings = await self._read_media(request)
        # A long prompt takes tens of milliseconds; other streams go on meanwhile.
        return await asyncio.to_thread(self._builder.build, request, readings)

    async def _answer(self, asked: "_Asked") -> AsyncGenerator[Delta, None]:
        """One choice: a thought if its prompt has opened one, and the answer; if that begins with a thought that
        reaches its budget, the thought is closed and the answer asked for behind it."""
        built = asked.built
        budget = asked.request.thinking.budget_of(built.max_tokens)
        answer = self._new_answer(asked, is_tagged=built.opens_answer)
        thought = Thought(self._tokenizer) if built.has_thought else None
        if thought is not None:
            begin = self._think(asked, thought, budget)
        else:
            begin = self._speak(asked, built.prompt, built.max_tokens, answer, budget)
        async with aclosing(begin) as deltas:
            async for delta in deltas:
                yield delta
        thought_tokens = 0
        if answer.finish is None:
            # Small decoders end their turn with the thought. Asked again behind it, they answer; the prefix is cached.
            text, thought_tokens = answer.thought, answer.completion_tokens
            if thought is not None:
                text, thought_tokens = thought.text, thought.num_tokens
            prompt, max_tokens = self._builder.close_thought(built, text, thought_tokens)
            answer = self._new_answer(asked, is_tagged=built.has_answer_tag)
            async with aclosing(self._speak(asked, prompt, max_tokens, answer, max_tokens + 1)) as deltas:
                async for delta in deltas:
                    yield delta
        finish = asked.times.outcome = answer.finish or "length"
        yield Finished(finish, asked.usage(answer, thought_tokens), asked.index)

    async def _think(self, asked: "_Asked", thought: Thought, budget: int) -> AsyncGenerator[Delta, None]:
        is_sent = asked.request.thinking.is_sent
        if is_sent and asked.built.thought_lead:
            yield ReasoningDelta(asked.built.thought_lead, asked.index)
        async with aclosing(self._generate(asked, asked.built.prompt, budget)) as events:
            async for event in events:
                text = thought.push(event.tokens, event.finish)
                if text and is_sent:
                    yield ReasoningDelta(text, asked.index)
                if thought.is_finished:
                    return

    async def _speak(
        self, asked: "_Asked", prompt: Prompt, max_tokens: int, answer: Answer, thought_budget: int
    ) -> AsyncGenerator[Delta, None]:
        """Up to the answer's end, or to where a thought in it has used up its budget."""
        if max_tokens < 1:
            return
        grammar, top_logprobs = asked.built.grammar, asked.request.top_logprobs
        async with aclosing(self._generate(asked, prompt, max_tokens, grammar, top_logprobs)) as events:
            async for event in events:
                for delta in answer.push(event):
                    yield delta
                if answer.finish is not None:
                    return
                if answer.is_thinking and answer.reasoning_tokens >= thought_budget:
                    for delta in answer.end_thought():
                        yield delta
                    return

    async def _generate(
        self, asked: "_Asked", prompt: Prompt, max_tokens: int, grammar: str = "", top_logprobs: int | None = None
    ) -> AsyncGenerator[TokenEvent, None]:
        request, sampling = asked.request, asked.request.sampling
        if sampling.seed is not None and asked.index:
            sampling = replace(sampling, seed=sampling.seed + asked.index)
        stop_tokens = frozenset(request.stop_tokens)
        if not request.ignore_eos:
            stop_tokens |= self._tokenizer.eos_tokens
        request_id = RequestId(uuid.uuid4().hex)
        generated = self._engine.generate(
            Request(request_id, prompt, sampling, max_tokens, stop_tokens, grammar, top_logprobs, request.client)
        )
        async with aclosing(generated) as events:
            async for event in events:
                asked.times.take(event, time.monotonic(), self._observer, asked.index)
                # A stop string or a budget ends at its token, however many came in one step.
                for single in event.one_by_one():
                    yield single

    def _new_answer(self, asked: "_Asked", *, is_tagged: bool) -> Answer:
        request = asked.request
        form = AnswerForm(
            stop=request.stop,
            is_raw=isinstance(request.conversation, RawPrompt),
            is_tagged=is_tagged,
            sends_reasoning=request.thinking.is_sent,
            tool_names=frozenset(spec.name for spec in request.tools.specs) if request.tools.are_offered else None,
            wants_logs=request.top_logprobs is not None,
        )
        return Answer(form, self._tokenizer, asked.index)

    async def _read_media(self, request: ChatRequest) -> dict[Part, MediaReading]:
        """Read all pictures and sounds side by side; the first failure gives up the others."""
        if isinstance(request.conversation, RawPrompt):
            return {}
        parts = [part for message in request.conversation.messages for part in message.parts]
        media = list(dict.fromkeys(part for part in parts if isinstance(part, (ImagePart, AudioPart))))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(part, request.client)) for part in media]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return dict(zip(media, [task.result() for task in tasks], strict=True))

    async def _read(self, part: ImagePart | AudioPart, client: Client) -> MediaReading:
        modality, what = ("vision", "pictures") if isinstance(part, ImagePart) else ("speech", "sounds")
        if self._media is None or not self._media.has("vision" if isinstance(part, ImagePart) else "speech"):
            raise UnsupportedModality(
                f"{part.param}: this server takes no {what}: its {modality} module is not loaded", param=part.param
            )
        if isinstance(part, ImagePart):
            reading = await self._media.read_image(part.data, param=part.param, client=client)
        else:
            reading = await self._media.read_sound(part.data, param=part.param, client=client)
        self._observer.media_read(reading)
        return reading
