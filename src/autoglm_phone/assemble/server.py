"""The server put together: the one place that builds the concrete parts, wires them and starts them."""

import asyncio
import contextlib
import logging
import logging.config
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from autoglm_phone.assemble import engine_process
from autoglm_phone.assemble.banner import banner
from autoglm_phone.assemble.engine_process import EngineProcessConfig
from autoglm_phone.assemble.media_process import MediaProcessConfig, SpeechConfig, VisionConfig, media_door
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels
from autoglm_phone.chat.chat_service import ChatService
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.chat.transcription import TranscriptionService
from autoglm_phone.core.module import Modality, ModuleInfo
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.process_engine import ProcessEngine
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.reading.door import DoorLimits, MediaProcess
from autoglm_phone.server.app import create_app
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.run import serve
from autoglm_phone.server.services import Decoder, Services
from autoglm_phone.settings import Resolved, Settings, resolve, this_machine
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.gguf_file import read_metadata
from autoglm_phone.weights.progress import Progress, silent
from autoglm_phone.weights.store import LocatedModule, Store, cache_home

log = logging.getLogger("uvicorn.error")  # uvicorn's own lines and ours look alike

Located = dict[Modality, LocatedModule]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Processes:
    """The two supervised processes behind the doors."""

    engine: ProcessEngine
    media: MediaProcess | None

    async def start(self) -> None:
        await self.engine.start()
        if self.media is not None:
            await self.media.start()

    async def wait_until_ready(self) -> None:
        await self.engine.wait_until_ready()
        if self.media is not None:
            await self.media.wait_until_ready()

    async def stop(self) -> None:
        await self.engine.stop()
        if self.media is not None:
            await self.media.stop()


def run(settings: Settings, progress: Progress = silent) -> int:
    """Serve until SIGINT or SIGTERM. Raises SetupError if it cannot start as it was asked to."""
    set_up_logging(settings.log_level)
    store = Store(cache_home(os.environ), say=log.info)
    bundle = chosen_bundle(store, settings)
    resolved = resolve(settings, this_machine(), bundle.max_model_len)
    log.info("resolved settings: %s", resolved)
    located = store.locate(bundle, progress)
    config = server_config(settings, resolved, bundle)
    serve(make_app(settings, resolved, bundle, located, config), config)
    return 0


def set_up_logging(level: str) -> None:
    """Uvicorn's usual format on stderr for everything, ours included."""
    config: dict[str, Any] = {**LOGGING_CONFIG, "root": {"handlers": ["default"], "level": level.upper()}}
    logging.config.dictConfig(config)
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).propagate = False


def chosen_bundle(store: Store, settings: Settings) -> Bundle:
    wanted: dict[Modality, bool] = {"speech": settings.speech, "vision": settings.vision}
    return store.find(settings.model).with_only([modality for modality, is_on in wanted.items() if is_on])


def make_app(settings: Settings, resolved: Resolved, bundle: Bundle, located: Located, config: ServerConfig) -> FastAPI:
    """The app; its lifespan starts and stops the processes."""
    processes = Processes(make_engine(settings, resolved, located["text"]), make_media(settings, resolved, located))
    metrics = ServerMetrics()
    modules = partial(module_infos, located, processes)
    metadata = read_metadata(located["text"].files[0])
    tokenizer = Tokenizer(metadata)
    template = ChatTemplate(str(metadata.get("tokenizer.chat_template", "")), tokenizer)
    services = Services(
        chat=make_chat(settings, resolved, bundle, template, tokenizer, processes, metrics),
        decoder=Decoder(tokenizer, template.source, settings.max_running),
        engine=processes.engine,
        media=processes.media,
        modules=modules,
        fetch=partial(fetch_media, policy=FetchPolicy(settings.allow_media_urls, int(settings.max_body_bytes))),
        metrics=metrics,
        transcriptions=TranscriptionService(processes.media, metrics),
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


def make_engine(settings: Settings, resolved: Resolved, text: LocatedModule) -> ProcessEngine:
    config = EngineConfig(
        max_model_len=resolved.max_model_len,
        kv_tokens=settings.kv_tokens,
        max_running=settings.max_running,
        max_waiting=settings.max_waiting,
        max_cached=settings.max_cached,
        idle_kv_tokens=settings.idle_kv_tokens,
        speculation=settings.speculation,
        spill_bytes=resolved.spill_bytes,
        prefill_chunk=resolved.prefill_chunk,
        prefill_chunk_idle=settings.prefill_chunk_idle,
        step_target_s=settings.step_target_ms / 1000,
    )
    kernels = None
    if settings.native_kernels:
        kernels = NativeKernels(cache_home(os.environ)).plugin_for(text.spec.files[0].digest)
    process_config = EngineProcessConfig(
        str(text.files[0]), resolved.threads, config, str(kernels) if kernels is not None else None
    )
    # Without GGML_NO_BACKTRACE a failed assert starts a debugger, and the restart waits for it.
    options = ProcessOptions(env={"GGML_NO_BACKTRACE": "1"})
    return ProcessEngine(config, engine_process.MODULE, msgspec.json.encode(process_config), options)


def make_media(settings: Settings, resolved: Resolved, located: Located) -> MediaProcess | None:
    vision, speech = located.get("vision"), located.get("speech")
    if vision is None and speech is None:
        return None
    threads = resolved.media_threads
    config = MediaProcessConfig(
        vision=VisionConfig(module_info("vision", vision), threads) if vision else None,
        speech=SpeechConfig(module_info("speech", speech), str(speech.folder), threads) if speech else None,
        limits=MediaLimits(
            max_image_pixels=settings.max_image_pixels,
            max_image_bytes=int(settings.max_body_bytes),
            max_sound_bytes=int(settings.max_body_bytes),
            max_sound_s=settings.max_sound_s,
        ),
        cache_bytes=int(settings.media_cache_bytes),
    )
    return media_door(config, nice=settings.media_nice, limits=DoorLimits(max_work_s=settings.media_timeout_s))


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


def module_infos(located: Located, processes: Processes) -> Sequence[ModuleInfo]:
    """What is loaded now: the decoder, and what the media process has told."""
    facts = processes.engine.facts
    text = module_info("text", located["text"], memory_bytes=facts.memory_bytes if facts is not None else 0)
    return (text, *(processes.media.infos if processes.media is not None else ()))


def module_info(modality: Modality, module: LocatedModule, *, memory_bytes: int = 0) -> ModuleInfo:
    return ModuleInfo(
        modality=modality,
        kind=module.spec.kind,
        arch=module.spec.arch,
        version=module.spec.version,
        digest=module.spec.digest,
        files=tuple(map(str, module.files)),
        memory_bytes=memory_bytes,
        limits=module.spec.limits,
    )


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
    )
