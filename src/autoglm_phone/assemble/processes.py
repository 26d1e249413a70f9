"""The two worker processes behind their doors. Light to import: they are started before the rest of the server."""

import os
from dataclasses import dataclass

import msgspec

from autoglm_phone.assemble import engine_process
from autoglm_phone.assemble.encoders import encoder_addresses, encoders_of, is_encoder
from autoglm_phone.assemble.engine_process import EngineProcessConfig
from autoglm_phone.assemble.media_process import (
    MAX_ADDRESS_SPACE,
    MediaProcessConfig,
    SpeechConfig,
    VisionConfig,
    media_door,
)
from autoglm_phone.assemble.memory import estimate
from autoglm_phone.assemble.voice_process import voice_door
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels
from autoglm_phone.core.memory import MemoryEstimate
from autoglm_phone.core.module import Modality, ModuleInfo
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.process_engine import ProcessEngine
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.reading.door import DoorLimits, MediaProcess
from autoglm_phone.settings import Resolved, Settings
from autoglm_phone.speaking.door import VoiceProcess
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.encoder_files import FLOAT_BYTES
from autoglm_phone.weights.store import LocatedModule, cache_home
from autoglm_phone.weights.widths import decoder_width

Located = dict[Modality, LocatedModule]

READ_CACHE_BYTES, MAX_EMBEDDINGS_CACHE_BYTES = 16 << 20, 256 << 20


@dataclass(frozen=True)
class Processes:
    """The supervised processes behind the doors."""

    engine: ProcessEngine
    media: MediaProcess | None
    voice: VoiceProcess | None = None

    def launch(self) -> None:
        """Let them load from now on; `start` takes them over."""
        self.engine.launch()
        if self.media is not None:
            self.media.launch()
        if self.voice is not None:
            self.voice.launch()

    async def start(self) -> None:
        await self.engine.start()
        if self.media is not None:
            await self.media.start()
        if self.voice is not None:
            await self.voice.start()

    async def wait_until_ready(self) -> None:
        await self.engine.wait_until_ready()
        if self.media is not None:
            await self.media.wait_until_ready()
        if self.voice is not None:
            await self.voice.wait_until_ready()

    async def stop(self) -> None:
        await self.engine.stop()
        if self.media is not None:
            await self.media.stop()
        if self.voice is not None:
            await self.voice.stop()


@dataclass(frozen=True)
class Setup:
    """What the server was started as; what is loaded may change, this does not."""

    settings: Settings
    resolved: Resolved
    bundle: Bundle


def make_processes(settings: Settings, resolved: Resolved, located: Located) -> Processes:
    engine, media = make_engine(settings, resolved, located["text"]), make_media(settings, resolved, located)
    return Processes(engine, media, make_voice(settings, resolved, located))


def engine_config(settings: Settings, resolved: Resolved) -> EngineConfig:
    return EngineConfig(
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


def estimate_memory(settings: Settings, resolved: Resolved, located: Located) -> MemoryEstimate:
    """What serving these modules will take, without loading them. Raises BundleError if the decoder does not say."""
    has_native_kernels = native_kernels(settings, located["text"]) is not None
    caches = resolved.spill_bytes, media_cache_bytes(settings, resolved, located)
    return estimate(
        located,
        engine_config(settings, resolved),
        caches,
        has_native_kernels=has_native_kernels,
        image_tokens=settings.image_tokens,
    )


def make_engine(settings: Settings, resolved: Resolved, text: LocatedModule) -> ProcessEngine:
    config = engine_config(settings, resolved)
    process_config = EngineProcessConfig(str(text.files[0]), resolved.threads, config, native_kernels(settings, text))
    # Without GGML_NO_BACKTRACE a failed assert starts a debugger, and the restart waits for it.
    options = ProcessOptions(env={"GGML_NO_BACKTRACE": "1"})
    return ProcessEngine(config, engine_process.MODULE, msgspec.json.encode(process_config), options)


def native_kernels(settings: Settings, text: LocatedModule) -> str | None:
    """The plugin that has been built here and tried with this decoder."""
    if not settings.native_kernels:
        return None
    plugin = NativeKernels(cache_home(os.environ)).plugin_for(text.spec.files[0].digest)
    return str(plugin) if plugin is not None else None


def make_media(settings: Settings, resolved: Resolved, located: Located) -> MediaProcess | None:
    vision, speech = located.get("vision"), located.get("speech")
    if vision is None and speech is None:
        return None
    more_addresses = encoder_addresses(encoders_of(located), settings.image_tokens)
    config = MediaProcessConfig(
        vision=_vision_config(settings, resolved, vision) if vision else None,
        speech=_speech_config(resolved, speech) if speech else None,
        limits=MediaLimits(
            max_image_pixels=settings.max_image_pixels,
            max_image_bytes=int(settings.max_body_bytes),
            max_sound_bytes=int(settings.max_body_bytes),
            max_sound_s=settings.max_sound_s,
        ),
        cache_bytes=media_cache_bytes(settings, resolved, located),
        max_address_space=MAX_ADDRESS_SPACE + more_addresses,
    )
    return media_door(config, nice=settings.media_nice, limits=door_limits(settings))


def media_cache_bytes(settings: Settings, resolved: Resolved, located: Located) -> int:
    """Words are small; embeddings are kept for a conversation, whose media all fit the window. Raises BundleError."""
    if settings.media_cache_bytes != "auto":
        return int(settings.media_cache_bytes)
    width = decoder_width(located["text"].files[0]) if encoders_of(located) else None
    return READ_CACHE_BYTES + min(resolved.max_model_len * (width or 0) * FLOAT_BYTES, MAX_EMBEDDINGS_CACHE_BYTES)


def door_limits(settings: Settings) -> DoorLimits:
    """What was set holds for every medium alike."""
    if settings.media_timeout_s == "auto":
        return DoorLimits()
    return DoorLimits(max_work_s=settings.media_timeout_s, max_encoding_s=0.0)


def make_voice(settings: Settings, resolved: Resolved, located: Located) -> VoiceProcess | None:
    """All cores: it speaks in short bursts, and steps back behind the decoder like the media process."""
    if (voice := located.get("voice")) is None:
        return None
    return voice_door(voice, module_info("voice", voice), threads=resolved.threads, nice=settings.media_nice)


def _vision_config(settings: Settings, resolved: Resolved, vision: LocatedModule) -> VisionConfig:
    info, files, threads = module_info("vision", vision), tuple(map(str, vision.files)), _threads(resolved, vision)
    return VisionConfig(info, files, threads, settings.image_tokens, vision.spec.mark)


def _speech_config(resolved: Resolved, speech: LocatedModule) -> SpeechConfig:
    """A sound that fills the window by itself could never be answered."""
    info, threads = module_info("speech", speech), _threads(resolved, speech)
    return SpeechConfig(info, str(speech.folder), threads, resolved.max_model_len, speech.spec.mark)


def _threads(resolved: Resolved, module: LocatedModule) -> int:
    return resolved.encoder_threads if is_encoder(module) else resolved.media_threads


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
        licence=module.spec.licence,
    )
