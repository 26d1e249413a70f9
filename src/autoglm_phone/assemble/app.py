"""The HTTP side put together over the doors of the worker processes."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from autoglm_phone.assemble.banner import banner
from autoglm_phone.assemble.memory import measured
from autoglm_phone.assemble.processes import Located, Processes, module_infos
from autoglm_phone.chat.chat_service import ChatService
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.chat.transcription import TranscriptionService
from autoglm_phone.core.memory import MemoryReport, ProcessName
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.server.app import create_app
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.run import serve
from autoglm_phone.server.services import Decoder, Services
from autoglm_phone.settings import Resolved, Settings
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.known_templates import known_template
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.gguf_file import Value, read_metadata

log = logging.getLogger("uvicorn.error")  # uvicorn's own lines and ours look alike


def serve_app(
    settings: Settings,
    resolved: Resolved,
    bundle: Bundle,
    located: Located,
    processes: Processes,
    memory: MemoryReport,
) -> None:
    """Serve until SIGINT or SIGTERM. memory: as it was before the processes were there."""
    config = server_config(settings, resolved, bundle)
    serve(make_app(settings, resolved, bundle, located, processes, config, memory), config)


def make_app(
    settings: Settings,
    resolved: Resolved,
    bundle: Bundle,
    located: Located,
    processes: Processes,
    config: ServerConfig,
    memory: MemoryReport,
) -> FastAPI:
    """The app; its lifespan starts and stops the processes."""
    metrics = ServerMetrics()
    modules = partial(module_infos, located, processes)
    metadata = read_metadata(located["text"].files[0])
    tokenizer = Tokenizer(metadata)
    template = ChatTemplate(template_source(located["text"].template, metadata, tokenizer), tokenizer)
    services = Services(
        chat=make_chat(settings, resolved, bundle, template, tokenizer, processes, metrics),
        decoder=Decoder(tokenizer, template.source, settings.max_running),
        engine=processes.engine,
        media=processes.media,
        modules=modules,
        memory=partial(memory_now, memory, processes),
        fetch=partial(fetch_media, policy=FetchPolicy(settings.allow_media_urls, int(settings.max_body_bytes))),
        metrics=metrics,
        transcriptions=TranscriptionService(processes.media, metrics),
        voice=processes.voice,
        live=processes.media if processes.media is not None and processes.media.has("speech") else None,
    )

    async def announce() -> None:
        await processes.wait_until_ready()
        log.info("%s", banner(bundle, config, modules(), processes.engine.facts))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await processes.start()
        announcing = asyncio.create_task(announce(), name="banner")
        try:
            yield
        finally:
            announcing.cancel()
            await processes.stop()

    return create_app(services, config, lifespan)


def template_source(file: Path | None, metadata: Mapping[str, Value], tokenizer: Tokenizer) -> str:
    """The bundle's, else the decoder file's, else the one that its family is known to use; may be empty."""
    if file is not None:
        return file.read_text(encoding="utf-8")
    return str(metadata.get("tokenizer.chat_template", "")) or known_template(tokenizer)


def memory_now(before: MemoryReport, processes: Processes) -> MemoryReport:
    media = processes.media.status().pid if processes.media is not None else None
    voice = processes.voice.pid if processes.voice is not None else None
    pids: dict[ProcessName, int | None] = {"engine": processes.engine.status().pid, "media": media, "voice": voice}
    return dataclasses.replace(before, measured=measured(pids))


def make_chat(
    settings: Settings,
    resolved: Resolved,
    bundle: Bundle,
    template: ChatTemplate,
    tokenizer: Tokenizer,
    processes: Processes,
    metrics: ServerMetrics,
) -> ChatService:
    builder = PromptBuilder(
        template,
        tokenizer,
        PromptConfig(
            max_model_len=resolved.max_model_len,
            max_tokens=min(settings.max_tokens, resolved.max_model_len),
            truncation=resolved.truncation,
            system_prompt=bundle.system_prompt,
            use_default_system_prompt=settings.default_system_prompt,
        ),
    )
    return ChatService(processes.engine, processes.media, builder, tokenizer, metrics)


def server_config(settings: Settings, resolved: Resolved, bundle: Bundle) -> ServerConfig:
    key = settings.api_key
    return ServerConfig(
        model_id=bundle.id,
        host=settings.host,
        port=settings.port,
        aliases=settings.served_model_name,
        strict_model=settings.strict_model,
        max_model_len=resolved.max_model_len,
        bundle_limits=bundle.limits,
        default_sampling=bundle.sampling,
        api_key=key.get_secret_value() if key is not None else None,
        allowed_hosts=settings.allowed_hosts,
        max_body_bytes=int(settings.max_body_bytes),
        max_media_parts=settings.max_media_parts,
        max_live_s=settings.max_sound_s,
    )
