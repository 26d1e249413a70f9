"""OpenRequests: who is waiting for tokens, and how each of them hears of the end. Lives on the event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from autoglm_phone.core.client_shares import equal_share
from autoglm_phone.core.errors import AutoGLMError, ContextLengthExceeded, InvalidRequest, Overloaded
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import Client, Request, TokenEvent
from autoglm_phone.engine.config import EngineConfig


@dataclass(frozen=True, eq=False)
class _Open:
    client: Client
    embed_bytes: int
    inbox: asyncio.Queue[TokenEvent | AutoGLMError] = field(default_factory=asyncio.Queue)


class OpenRequests:
    """One inbox a request. Nobody waits for the dead: `fail_all` answers every one of them."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._open: dict[RequestId, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def check(self, request: Request) -> None:
        """Refuse what could never run, and what there is no place for."""
        window = self._config.max_model_len
        if len(request.prompt) == 0 or request.max_tokens < 1:
            raise InvalidRequest("a request needs at least one prompt token and one token of answer")
        if len(request.prompt) + request.max_tokens > window:
            raise ContextLengthExceeded(
                f"context_length_exceeded: the prompt has {len(request.prompt)} tokens and asks for "
                f"{request.max_tokens} more, the window is {window}; shorten it or raise --max-model-len"
            )
        embed_bytes, most = self._embed_bytes + _embed_bytes(request), self._config.max_embed_bytes
        if embed_bytes > most and self._embed_bytes:
            held = self._embed_bytes
            raise Overloaded(f"the pictures of open requests take {held} bytes, the limit is {most}; try again later")
        limit = self._config.max_running + self._config.max_waiting
        clients = [one.client for one in self._open.values()]
        share = equal_share(limit, request.client, clients)
        if len(self) >= limit and clients.count(request.client) >= share:
            raise Overloaded(f"{len(self)} requests are open, the limit is {limit}; try again later")

    @property
    def _embed_bytes(self) -> int:
        return sum(one.embed_bytes for one in self._open.values())

    async def stream(
        self, request: Request, submit: Callable[[Request], None], abort: Callable[[RequestId], None]
    ) -> AsyncGenerator[TokenEvent, None]:
        """Submit, give what comes, and abort if the reader leaves early.

        Raises InvalidRequest at any time if the answer cannot follow its grammar.
        """
        self.check(request)
        opened = self._open[request.id] = _Open(request.client, _embed_bytes(request))
        try:
            submit(request)
            while True:
                event = await opened.inbox.get()
                if isinstance(event, AutoGLMError):
                    raise event
                if event.error:
                    raise InvalidRequest(event.error, param="response_format")
                yield event
                if event.finish is not None:
                    return
        finally:
            # Gone already if the engine has ended it, or died.
            if self._open.pop(request.id, None) is not None:
                abort(request.id)

    def deliver(self, request_id: RequestId, event: TokenEvent) -> None:
        """Hand an event over; those for requests that have left are dropped."""
        opened = self._open.get(request_id)
        if opened is not None:
            opened.inbox.put_nowait(event)
            if event.finish is not None:
                del self._open[request_id]

    def fail_all(self, make_error: Callable[[], AutoGLMError]) -> None:
        """Answer every open request with an error of its own."""
        for opened in self._open.values():
            opened.inbox.put_nowait(make_error())
        self._open.clear()


def _embed_bytes(request: Request) -> int:
    return sum(span.embeddings.nbytes for span in request.prompt.embeds)
