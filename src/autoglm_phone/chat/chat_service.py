"""ChatService: owns a chat from the conversation to its last delta."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from autoglm_phone.chat.answer import Answer, Thought
from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.delta import Delta, Finished, ReasoningDelta, Started, Usage
from autoglm_phone.chat.observer import ChatTimes, Observer
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder
from autoglm_phone.core.conversation import AudioPart, ImagePart, Part
from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.module import MediaDoor, MediaReading
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import EngineDoor, Request, TokenEvent
from autoglm_phone.text.tokenizer import Tokenizer


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
        """One Started, deltas, exactly one Finished. Closing it early frees the engine's slot at once.

        Raises RequestError before Started, EngineError at any time.
        """
        times = ChatTimes(time.monotonic())
        try:
            readings = await self._read_media(request)
            # A long prompt takes tens of milliseconds; other streams go on meanwhile.
            built = await asyncio.to_thread(self._builder.build, request, readings)
            times.prompt_tokens = len(built.prompt)
            yield Started(len(built.prompt), built.dropped_messages)
            async with aclosing(self._answer(request, built, times)) as deltas:
                async for delta in deltas:
                    yield delta
        except Exception as error:
            times.outcome = type(error).__name__
            raise
        finally:
            self._observer.finished(times, time.monotonic())

    async def _answer(self, request: ChatRequest, built: BuiltPrompt, times: ChatTimes) -> AsyncGenerator[Delta, None]:
        prompt, max_tokens, reasoning_tokens = built.prompt, built.max_tokens, 0
        if request.enable_thinking:
            thought = Thought(self._tokenizer)
            if request.return_reasoning:
                yield ReasoningDelta(built.thought_lead)
            budget = max(1, max_tokens // 2)
            async with aclosing(self._generate(request, prompt, budget, times)) as events:
                async for event in events:
                    text = thought.push(event.tokens, event.finish)
                    if text and request.return_reasoning:
                        yield ReasoningDelta(text)
                    if thought.is_finished:
                        break
            reasoning_tokens = thought.num_tokens
            # Small decoders end their turn with the thought. Asked again behind it, they answer; the prefix is cached.
            prompt, max_tokens = self._builder.close_thought(built, thought.text, reasoning_tokens)
        answer = Answer(request, self._tokenizer)
        if max_tokens > 0:
            async with aclosing(self._generate(request, prompt, max_tokens, times)) as events:
                async for event in events:
                    for delta in answer.push(event.tokens, event.finish):
                        yield delta
                    if answer.finish is not None:
                        break
        times.outcome = answer.finish or "length"
        usage = Usage(
            prompt_tokens=len(built.prompt),
            completion_tokens=reasoning_tokens + answer.completion_tokens,
            cached_tokens=times.cached_tokens,
            image_tokens=built.image_tokens,
            audio_tokens=built.audio_tokens,
            reasoning_tokens=reasoning_tokens + answer.reasoning_tokens,
            dropped_messages=built.dropped_messages,
        )
        yield Finished(answer.finish or "length", usage)

    async def _generate(
        self, request: ChatRequest, prompt: Prompt, max_tokens: int, times: ChatTimes
    ) -> AsyncGenerator[TokenEvent, None]:
        stop_tokens = frozenset() if request.ignore_eos else self._tokenizer.eos_tokens
        request_id = RequestId(uuid.uuid4().hex)
        asked = Request(request_id, prompt, request.sampling, max_tokens, stop_tokens)
        async with aclosing(self._engine.generate(asked)) as events:
            async for event in events:
                times.take(event, time.monotonic(), self._observer)
                yield event

    async def _read_media(self, request: ChatRequest) -> dict[Part, MediaReading]:
        """Read all pictures and sounds side by side; the first failure gives up the others."""
        parts = [part for message in request.conversation.messages for part in message.parts]
        media = list(dict.fromkeys(part for part in parts if isinstance(part, (ImagePart, AudioPart))))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(part)) for part in media]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return dict(zip(media, [task.result() for task in tasks], strict=True))

    async def _read(self, part: ImagePart | AudioPart) -> MediaReading:
        modality, what = ("vision", "pictures") if isinstance(part, ImagePart) else ("speech", "sounds")
        if self._media is None or not self._media.has("vision" if isinstance(part, ImagePart) else "speech"):
            raise UnsupportedModality(
                f"{part.param}: this server takes no {what}: its {modality} module is not loaded", param=part.param
            )
        if isinstance(part, ImagePart):
            reading = await self._media.read_image(part.data, param=part.param)
        else:
            reading = await self._media.read_sound(part.data, param=part.param)
        self._observer.media_read(reading)
        return reading
