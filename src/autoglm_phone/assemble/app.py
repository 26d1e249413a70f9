"""The HTTP side put together over the doors of the worker processes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from functools import partial

from fastapi import FastAPI

from autoglm_phone.assemble.banner import banner
from autoglm_phone.assemble.encoders import encoders_of
from autoglm_phone.assemble.module_changes import LoadedModules, ModuleChanger
from autoglm_phone.assemble.module_sources import ModuleSources
from autoglm_phone.assemble.processes import Located, Processes, Setup
from autoglm_phone.assemble.text_service import ChangingText, TextMaker
from autoglm_phone.chat.picture_reading import PictureReading
from autoglm_phone.chat.prompt_builder import PromptConfig
from autoglm_phone.chat.transcription import TranscriptionService
from autoglm_phone.core.memory import MemoryReport
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.reading.changing_media import ChangingMedia
from autoglm_phone.server.app import create_app
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.run import serve
from autoglm_phone.server.services import Services
from autoglm_phone.speaking.changing_voice import ChangingVoice
from autoglm_phone.weights.store import Store

log = logging.getLogger("uvicorn.error")  # uvicorn's own lines and ours look alike


def serve_app(setup: Setup, store: Store, located: Located, processes: Processes, memory: MemoryReport) -> None:
    """Serve until SIGINT or SIGTERM. memory: as it was before the processes were there."""
    config = server_config(setup)
    serve(make_app(setup, store, located, processes, config, memory), config)


def make_app(
    setup: Setup,
    store: Store,
    located: Located,
    processes: Processes,
    config: ServerConfig,
    memory: MemoryReport,
) -> FastAPI:
    """The app; its lifespan starts and stops the processes, those that were loaded later too."""
    settings = setup.settings
    metrics = ServerMetrics()
    media = ChangingMedia(processes.media)
    maker = TextMaker(media, prompt_config(setup), metrics, settings.max_running)
    window = setup.resolved.max_model_len
    text = ChangingText(maker.make(located["text"], processes.engine, window, encoders_of(located)))
    voice = ChangingVoice(processes.voice)
    loaded = LoadedModules(text, media, voice, memory)
    sources = ModuleSources(store, settings.module_path)
    services = Services(
        chat=text,
        decoder=text.decoder,
        engine=text,
        media=media,
        modules=loaded.infos,
        changes=ModuleChanger(setup, located, loaded, sources, maker, metrics.module_changed),
        memory=loaded.memory,
        fetch=partial(fetch_media, policy=FetchPolicy(settings.allow_media_urls, int(settings.max_body_bytes))),
        metrics=metrics,
        transcriptions=TranscriptionService(media, metrics),
        speaker=voice.door,
        live=media,
        pictures=PictureReading(media, metrics),
    )

    async def announce() -> None:
        await processes.wait_until_ready()
        log.info(
            "%s", banner(setup.bundle, config, text.decoder().max_model_len, loaded.infos(), processes.engine.facts)
        )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await processes.start()
        announcing = asyncio.create_task(announce(), name="banner")
        try:
            yield
        finally:
            announcing.cancel()
            await text.stop()
            await media.stop()
            await voice.stop()

    return create_app(services, config, lifespan)


def prompt_config(setup: Setup) -> PromptConfig:
    settings, resolved = setup.settings, setup.resolved
    return PromptConfig(
        max_model_len=resolved.max_model_len,
        max_tokens=settings.max_tokens,
        truncation=resolved.truncation,
        system_prompt=setup.bundle.system_prompt,
        use_default_system_prompt=settings.default_system_prompt,
    )


def server_config(setup: Setup) -> ServerConfig:
    settings, bundle = setup.settings, setup.bundle
    key, admin_key = settings.api_key, settings.admin_key
    return ServerConfig(
        model_id=bundle.id,
        host=settings.host,
        port=settings.port,
        aliases=settings.served_model_name,
        strict_model=settings.strict_model,
        bundle_limits=bundle.limits,
        default_sampling=bundle.sampling,
        api_key=key.get_secret_value() if key is not None else None,
        admin_key=admin_key.get_secret_value() if admin_key is not None else None,
        allowed_hosts=settings.allowed_hosts,
        max_body_bytes=int(settings.max_body_bytes),
        max_media_parts=settings.max_media_parts,
        max_live_s=settings.max_sound_s,
    )
