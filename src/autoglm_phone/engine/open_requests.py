"""OpenRequests: who is waiting for tokens, and how each of them hears of the end. Lives on the event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from autoglm_phone.core.errors import AutoGLMError, ContextLengthExceeded, InvalidRequest, Overloaded
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import Request, TokenEvent
from autoglm_phone.engine.config import EngineConfig


class OpenRequests:
    """One inbox a request. Nobody waits for the dead: `fail_all` answers every one of them."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._inboxes: dict[RequestId, asyncio.Queue[TokenEvent | AutoGLMError]] = {}

    def __len__(self) -> int:
        return len(self._inboxes)

    def check(self, request: Request) -> None:
        """Refuse what could never run, and what there is no place for."""
        limit = self._config.max_running + self._config.max_waiting
        window = self._config.max_model_len
        if len(request.prompt) == 0 or request.max_tokens < 1:
            raise InvalidRequest("a request needs at least one prompt token and one token of answer")
        if len(request.prompt) + request.max_tokens > window:
            raise ContextLengthExceeded(
                f"context_length_exceeded: the prompt has {len(request.prompt)} tokens and asks for "
                f"{request.max_tokens} more, the window is {window}; shorten it or raise --max-model-len"
            )
        if len(self._inboxes) >= limit:
            raise Overloaded(f"{len(self._inboxes)} requests are open, the limit is {limit}; try again later")

    async def stream(
        self, request: Request, submit: Callable[[Request], None], abort: Callable[[RequestId], None]
    ) -> AsyncGenerator[TokenEvent, None]:
        """Submit, give what comes, and abort if the reader leaves early.

        Raises InvalidRequest at any time if the answer cannot follow its grammar.
        """
        self.check(request)
        inbox = self._inboxes[request.id] = asyncio.Queue()
        try:
            submit(request)
            while True:
                event = await inbox.get()
                if isinstance(event, AutoGLMError):
                    raise event
                if event.error:
                    raise InvalidRequest(event.error, param="response_format")
                yield event
                if event.finish is not None:
                    return
        finally:
            # Gone already if the engine has ended it, or died.
            if self._inboxes.pop(request.id, None) is not None:
                abort(request.id)

    def deliver(self, request_id: RequestId, event: TokenEvent) -> None:
        """Hand an event over; those for requests that have left are dropped."""
        inbox = self._inboxes.get(request_id)
        if inbox is not None:
            inbox.put_nowait(event)
            if event.finish is not None:
                del self._inboxes[request_id]

    def fail_all(self, make_error: Callable[[], AutoGLMError]) -> None:
        """Answer every open request with an error of its own."""
        for inbox in self._inboxes.values():
            inbox.put_nowait(make_error())
        self._inboxes.clear()
