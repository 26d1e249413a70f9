"""POST /v1/audio/transcriptions and /v1/audio/translations."""

import logging
import uuid
from collections.abc import AsyncGenerator
from typing import assert_never

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from autoglm_phone.core.errors import AutoGLMError, UnsupportedModality
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, Task, Transcript, TranscriptEnd
from autoglm_phone.server.ahead import Ahead
from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.form_body import parse_form
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.schemas.transcript import delta_event, done_event, transcript_json, verbose_json
from autoglm_phone.server.services import Services
from autoglm_phone.server.sse import DONE, KEEP_ALIVE, EventStream, encode_event
from autoglm_phone.server.subtitles import to_srt, to_vtt
from autoglm_phone.server.transcription_form import FILE, AskedTranscription, read_transcription

_log = logging.getLogger(__name__)

Parts = Ahead[Heard | TranscriptEnd]


def audio_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/audio/transcriptions")
    async def create_transcription(request: Request) -> Response:
        return await _answer(request, "transcribe")

    @router.post("/v1/audio/translations")
    async def create_translation(request: Request) -> Response:
        return await _answer(request, "translate")

    async def _answer(request: Request, task: Task) -> Response:
        asked = read_transcription(await parse_form(request.headers, request.stream()), task, config)
        headers = {"x-request-id": f"transcription-{uuid.uuid4().hex}", **ignored_header(asked.ignored)}
        try:
            return await unless_hung_up(request.receive, _respond(asked, headers, client_of(request, {})))
        except HungUp:
            _log.info("a client left before its transcript")
            return Response()  # nobody reads it

    async def _respond(asked: AskedTranscription, headers: dict[str, str], client: Client) -> Response:
        if services.transcriptions is None:
            raise UnsupportedModality("this server takes no sounds: its speech module is not loaded", param=FILE)
        parts = Ahead(services.transcriptions.stream(asked.sound, asked.options, param=FILE, client=client))
        try:
            if asked.wire.stream:
                # A refusal that comes in time still gets its own status.
                await parts.wait(config.keep_alive_s)
                parts.check()
                return EventStream(_events(parts, config.keep_alive_s), headers, parts.aclose)
            transcript = await _whole(parts)
        except BaseException:
            await parts.aclose()
            raise
        await parts.aclose()
        return _whole_response(transcript, asked, headers)

    return router


async def _whole(parts: Parts) -> Transcript:
    heard: list[Heard] = []
    while isinstance(part := await parts.take(), Heard):
        heard.append(part)
    return Transcript(part.duration_s, tuple(heard))


def _whole_response(transcript: Transcript, asked: AskedTranscription, headers: dict[str, str]) -> Response:
    match asked.wire.response_format:
        case "json":
            return JSONResponse(transcript_json(transcript), headers=headers)
        case "verbose_json":
            granularities = asked.wire.timestamp_granularities
            return JSONResponse(verbose_json(transcript, asked.options, granularities), headers=headers)
        case "text":
            return PlainTextResponse(f"{transcript.text}\n", headers=headers)
        case "srt":
            return PlainTextResponse(to_srt(transcript), headers=headers)
        case "vtt":
            return Response(to_vtt(transcript), headers=headers, media_type="text/vtt")
        case other:
            assert_never(other)


async def _events(parts: Parts, keep_alive_s: float) -> AsyncGenerator[bytes, None]:
    heard: list[Heard] = []
    try:
        while True:
            while not await parts.wait(keep_alive_s):
                yield KEEP_ALIVE
            part = await parts.take()
            if isinstance(part, TranscriptEnd):
                yield encode_event(done_event(Transcript(part.duration_s, tuple(heard))))
                yield DONE
                return
            text = part.text if heard else part.text.lstrip()
            heard.append(part)
            yield encode_event(delta_event(text))
    except Exception as error:  # the edge of a request whose status line is gone: told in the stream, without [DONE]
        log = _log.error if isinstance(error, AutoGLMError) else _log.exception
        log("a transcript ended with %s: %s", type(error).__name__, error)
        yield encode_event(error_body(error))
