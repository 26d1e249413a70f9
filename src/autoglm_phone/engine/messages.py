"""What goes over the wall between the API process and the engine process: msgpack, never pickle."""

from typing import Self

import msgspec
import numpy as np

from autoglm_phone.core.ids import Digest, RequestId, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Prompt
from autoglm_phone.core.request import Client, EngineState, EngineStatus, Request, SamplingParams, TokenEvent


class WireSpan(msgspec.Struct, frozen=True):
    """An EmbedSpan; data is (num_tokens, width) float32 in C order."""

    start: int
    width: int
    data: bytes
    media_digest: Digest
    module_digest: Digest


class Submit(msgspec.Struct, tag=True, frozen=True):
    id: RequestId
    tokens: list[TokenId]
    embeds: list[WireSpan]
    sampling: SamplingParams
    max_tokens: int
    stop_tokens: list[TokenId]
    grammar: str = ""
    top_logprobs: int | None = None
    client: Client = Client()

    @classmethod
    def of(cls, request: Request) -> Self:
        embeds = [
            WireSpan(s.start, s.embeddings.shape[1], s.embeddings.tobytes(), s.media_digest, s.module_digest)
            for s in request.prompt.embeds
        ]
        tokens, stop_tokens = list(request.prompt.tokens), sorted(request.stop_tokens)
        return cls(
            request.id,
            tokens,
            embeds,
            request.sampling,
            request.max_tokens,
            stop_tokens,
            request.grammar,
            request.top_logprobs,
            request.client,
        )

    def to_request(self) -> Request:
        embeds = tuple(
            EmbedSpan(
                span.start,
                np.frombuffer(span.data, dtype=np.float32).reshape(-1, span.width),
                span.media_digest,
                span.module_digest,
            )
            for span in self.embeds
        )
        prompt = Prompt(tuple(self.tokens), embeds)
        return Request(
            self.id,
            prompt,
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


ToWorker = Submit | Abort
FromWorker = EngineFacts | Events

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode
