"""Several prompts answered at once, as one stream."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.choices import interleave
from autoglm_phone.chat.delta import Delta, Started

Stream = Callable[[ChatRequest], AsyncGenerator[Delta, None]]


async def stream_batch(stream: Stream, requests: Sequence[ChatRequest]) -> AsyncGenerator[Delta, None]:
    """One Started, once every prompt is known to fit, then the choices of all, numbered prompt by prompt."""

    async def numbered(index: int) -> AsyncGenerator[Delta, None]:
        before = sum(request.num_choices for request in requests[:index])
        async with aclosing(stream(requests[index])) as deltas:
            async for delta in deltas:
                yield delta if isinstance(delta, Started) else replace(delta, choice=before + delta.choice)

    started: list[Started] = []
    held: list[Delta] = []
    async with aclosing(interleave(numbered, len(requests), share_prompt=False)) as deltas:
        async for delta in deltas:
            if isinstance(delta, Started):
                started.append(delta)
                if len(started) == len(requests):
                    yield Started(sum(one.prompt_tokens for one in started), dropped_messages=0)
                    for early in held:
                        yield early
                    held.clear()
            elif len(started) < len(requests):
                held.append(delta)
            else:
                yield delta
