"""POST /v1/audio/speech: the sound goes out as it is spoken."""

import asyncio
import base64
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from fastapi.responses import Response

from autoglm_phone.core.errors import InvalidRequest, UnknownModel, UnsupportedModality
from autoglm_phone.core.voice import VOICE_RATE, SpeakingOptions
from autoglm_phone.media.sound_encoder import MEDIA_TYPES, SoundEncoder, SoundFormat
from autoglm_phone.server.ahead import Ahead
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import MAX_SHOWN_CHARS, read_body
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.respond import json_object
from autoglm_phone.server.schemas.speech_request import SpeechRequest
from autoglm_phone.server.services import Services
from autoglm_phone.server.sse import EventStream, encode_event
from autoglm_phone.text.speakable import speakable

# OpenAI's own; clients send one of them whatever server they speak to.
OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")


def speech_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/audio/speech")
    async def create_speech(request: Request) -> Response:
        wire, ignored = read_body(SpeechRequest, await json_object(request))
        _check_model(wire.model, config)
        if services.voice is None:
            raise UnsupportedModality(
                "this server does not speak: its voice module is not loaded (docs/http-api.md, Speech)", param="model"
            )
        if not speakable(wire.input):
            raise InvalidRequest("`input`: there is nothing in it that can be said", param="input")
        pieces = Ahead(services.voice.speak(wire.input, SpeakingOptions(wire.voice or "", wire.speed or 1.0)))
        headers = {"x-request-id": f"speech-{uuid.uuid4().hex}", **ignored_header(ignored)}
        try:
            # A voice that is not known, or a process that is loading, still gets its own status.
            await unless_hung_up(request.receive, pieces.wait())
            pieces.check()
        except HungUp:
            await pieces.aclose()
            return Response()  # nobody reads it
        except StopAsyncIteration:
            await pieces.aclose()
            raise InvalidRequest("`input`: there is nothing in it that can be said", param="input") from None
        except BaseException:
            await pieces.aclose()
            raise
        form = wire.response_format or "mp3"
        sound = _sound(pieces, form)
        if wire.stream_format == "sse":
            return EventStream(_events(sound), headers, pieces.aclose)
        stream = EventStream(sound, headers, pieces.aclose)
        stream.headers["content-type"] = MEDIA_TYPES[form]
        return stream

    return router


def _check_model(name: str | None, config: ServerConfig) -> None:
    known = (*OPENAI_MODELS, *config.model_names)
    if name is not None and name not in known:
        raise UnknownModel(
            f"the model {name[:MAX_SHOWN_CHARS]!r} is not served here; known: {', '.join(known)}", param="model"
        )


async def _sound(pieces: Ahead[bytes], form: SoundFormat) -> AsyncGenerator[bytes, None]:
    encoder = SoundEncoder(form, VOICE_RATE)
    while True:
        try:
            piece = await pieces.take()
        except StopAsyncIteration:
            break
        if encoded := await asyncio.to_thread(encoder.push, piece):
            yield encoded
    if rest := encoder.finish():
        yield rest


async def _events(sound: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(sound) as chunks:
            async for chunk in chunks:
                audio = base64.b64encode(chunk).decode()
                yield encode_event({"type": "speech.audio.delta", "audio": audio}, "speech.audio.delta")
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        yield encode_event({"type": "speech.audio.done", "usage": usage}, "speech.audio.done")
    except Exception as error:  # the edge of a request whose status line is gone: told in the stream
        yield encode_event(error_body(error))
