"""What goes over the wall between the API process and the engine process: msgpack, never pickle."""

from typing import Self

import msgspec
import numpy as np

from autoglm_phone.core.ids import Digest, RequestId, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Grid, Prompt
from autoglm_phone.core.request import Client, EngineState, EngineStatus, Request, SamplingParams, TokenEvent


class Media(msgspec.Struct, tag=True, frozen=True):
    """An EmbedSpan of the request that is submitted next: megabytes, so each has a frame of its own.

    data is (num_tokens, width) float32 in C order.
    """

    id: RequestId
    start: int
    width: int
    data: memoryview
    media_digest: Digest
    module_digest: Digest
    grid: Grid | None

    @classmethod
    def of(cls, request_id: RequestId, span: EmbedSpan) -> Self:
        rows = np.ascontiguousarray(span.embeddings, dtype=np.float32)
        return cls(
            request_id, span.start, rows.shape[1], rows.data.cast("B"), span.media_digest, span.module_digest, span.grid
        )

    def to_span(self) -> EmbedSpan:
        """Its rows lie in the frame that it was decoded from."""
        rows = np.frombuffer(self.data, dtype=np.float32).reshape(-1, self.width)
        return EmbedSpan(self.start, rows, self.media_digest, self.module_digest, self.grid)


class Submit(msgspec.Struct, tag=True, frozen=True):
    """A request; the embeddings in its prompt came before."""

    id: RequestId
    tokens: list[TokenId]
    sampling: SamplingParams
    max_tokens: int
    stop_tokens: list[TokenId]
    grammar: str = ""
    top_logprobs: int | None = None
    client: Client = Client()

    @classmethod
    def of(cls, request: Request) -> Self:
        return cls(
            request.id,
            list(request.prompt.tokens),
            request.sampling,
            request.max_tokens,
            sorted(request.stop_tokens),
            request.grammar,
            request.top_logprobs,
            request.client,
        )

    def to_request(self, embeds: tuple[EmbedSpan, ...]) -> Request:
        return Request(
            self.id,
            Prompt(tuple(self.tokens), embeds),
            self.sampling,
            self.max_tokens,
            frozenset(self.stop_tokens),
            self.grammar,
            self.top_logprobs,
            self.client,
        )


class Abort(msgspec.Struct, tag=True, frozen=True):
    id: RequestId


class EngineLoad(msgspec.Struct, frozen=True):
    """How full the engine is; cached cells are those that only finished prefixes hold."""

    running: int = 0
    waiting: int = 0
    kv_tokens_used: int = 0
    kv_tokens_cached: int = 0
    kv_tokens_total: int = 0
    tokens_forced: int = 0
    tokens_drafted: int = 0
    tokens_accepted: int = 0

    def to_status(self, state: EngineState, pid: int | None, *, error: str = "", restarts: int = 0) -> EngineStatus:
        """With what a door knows of the engine's life. EngineStatus has all of these fields."""
        return EngineStatus(state, pid, error, restarts=restarts, **msgspec.structs.asdict(self))


class EngineFacts(msgspec.Struct, tag=True, frozen=True):
    """Sent once a life, before ready: what was loaded and how."""

    memory_bytes: int
    trained_window: int
    kernels: str


class Events(msgspec.Struct, tag=True, frozen=True):
    """load None: nothing came or went, so it is about what it was."""

    events: list[tuple[RequestId, TokenEvent]]
    load: EngineLoad | None


ToWorker = Media | Submit | Abort
FromWorker = EngineFacts | Events

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode
