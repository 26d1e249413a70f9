"""ModuleChanges: loads a module beside the one that answers, and lets it take over once it is ready (docs/adr/0009).

One change at a time. Whatever goes wrong before the last step leaves everything as it was.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from autoglm_phone.assemble.encoders import check_encoders, check_places, encoders_of
from autoglm_phone.assemble.memory import measured, megabytes
from autoglm_phone.assemble.module_sources import FoundModule, ModuleSources
from autoglm_phone.assemble.processes import (
    Located,
    Setup,
    estimate_memory,
    make_engine,
    make_media,
    make_voice,
    module_info,
)
from autoglm_phone.assemble.text_service import ChangingText, TextMaker, TextService
from autoglm_phone.core.errors import (
    AutoGLMError,
    BundleError,
    EngineError,
    InvalidRequest,
    ModuleRefused,
    NoSuchModule,
    SetupError,
)
from autoglm_phone.core.memory import MemoryReport, ProcessName
from autoglm_phone.core.module import Modality, ModuleInfo
from autoglm_phone.core.module_change import ModuleChange, ModuleUse
from autoglm_phone.ipc.handover import bring_up
from autoglm_phone.reading.changing_media import ChangingMedia
from autoglm_phone.settings.resolve import window_of
from autoglm_phone.speaking.changing_voice import ChangingVoice
from autoglm_phone.weights.widths import decoder_width

log = logging.getLogger("uvicorn.error")  # uvicorn's own lines and ours look alike

PROCESSES: Mapping[Modality, ProcessName] = {"text": "engine", "vision": "media", "speech": "media", "voice": "voice"}

Observe = Callable[[Modality, str], None]


class LoadedModules:
    """What is loaded now. Lives on the event loop."""

    def __init__(self, text: ChangingText, media: ChangingMedia, voice: ChangingVoice, memory: MemoryReport) -> None:
        self.text, self.media, self.voice = text, media, voice
        self._memory = memory

    def infos(self) -> tuple[ModuleInfo, ...]:
        voice = self.voice.current
        spoken = (voice.info,) if voice is not None and voice.info is not None else ()
        return (_text_info(self.text.current), *self.media.infos, *spoken)

    def uses(self) -> tuple[ModuleUse, ...]:
        status, media = self.text.status(), self.media.status()
        pending = media.pending.items() if media is not None else ()
        now = [ModuleUse(_text_info(self.text.current), status.running + status.waiting)]
        now += [ModuleUse(info, sum(n for name, n in pending if name == info.modality)) for info in self.media.infos]
        voice = self.voice.current
        if voice is not None and voice.info is not None:
            now.append(ModuleUse(voice.info, voice.status().num_texts))
        old = [(_text_info(text), num_users) for text, num_users in self.text.leaving]
        old += self.media.leaving + self.voice.leaving
        return (*now, *(ModuleUse(info, num_users, is_leaving=True) for info, num_users in old))

    def memory(self) -> MemoryReport:
        return replace(self._memory, measured=measured(self.pids()))

    def pids(self) -> dict[ProcessName, int | None]:
        media, voice = self.media.status(), self.voice.current
        return {
            "engine": self.text.status().pid,
            "media": media.pid if media is not None else None,
            "voice": voice.status().pid if voice is not None else None,
        }

    def estimated_anew(self, setup: Setup, located: Located) -> None:
        with contextlib.suppress(BundleError):
            self._memory = replace(self._memory, estimate=estimate_memory(setup.settings, setup.resolved, located))

    @property
    def machine_bytes(self) -> int:
        return self._memory.machine_bytes


class ModuleChanger:
    """Implements server.services.ModuleChanges. located: what is loaded at first; observe hears of every outcome."""

    def __init__(
        self,
        setup: Setup,
        located: Located,
        loaded: LoadedModules,
        sources: ModuleSources,
        maker: TextMaker,
        observe: Observe,
    ) -> None:
        self._setup, self._located, self._loaded = setup, dict(located), loaded
        self._sources, self._maker, self._observe = sources, maker, observe
        self._busy = asyncio.Lock()

    def uses(self) -> tuple[ModuleUse, ...]:
        return self._loaded.uses()

    async def load(self, modality: Modality, source: str) -> ModuleChange:
        async with self._change(modality, "loaded"):
            started_s, before = time.monotonic(), self._info(modality)
            found = await asyncio.to_thread(self._sources.find, modality, source)
            await asyncio.to_thread(self._check_together, modality, found)
            await self._take(modality, {**self._located, modality: found.module}, found)
            return self._told(modality, before, started_s)

    async def unload(self, modality: Modality) -> ModuleChange:
        if modality == "text":
            raise InvalidRequest(
                "a server without a decoder answers nothing; load another, or stop it", param="modality"
            )
        async with self._change(modality, "unloaded"):
            started_s, before = time.monotonic(), self._info(modality)
            if modality not in self._located:
                raise NoSuchModule(f"the {modality} module is not loaded", param="modality")
            await self._take(modality, {name: one for name, one in self._located.items() if name != modality})
            return self._told(modality, before, started_s)

    async def _take(self, modality: Modality, wanted: Located, found: FoundModule | None = None) -> None:
        """Bring up what `wanted` needs beside what is there, and let it take over."""
        self._check_memory(modality, wanted)
        try:
            if modality == "text":
                assert found is not None
                await self._take_text(found)
            elif modality == "voice":
                voice = make_voice(self._setup.settings, self._setup.resolved, wanted)
                if voice is not None:
                    await bring_up(voice)
                self._loaded.voice.hand_over(voice)
            else:
                media = make_media(self._setup.settings, self._setup.resolved, wanted)
                if media is not None:
                    await bring_up(media)
                self._loaded.media.hand_over(media)
        except (SetupError, EngineError) as error:
            raise ModuleRefused(
                f"the {modality} module did not come up: {error}; what was loaded before goes on", param="source"
            ) from error
        self._located = wanted
        self._loaded.estimated_anew(self._setup, wanted)

    async def _take_text(self, found: FoundModule) -> None:
        """Its window is its own, unless the operator has set one."""
        settings = self._setup.settings
        window = window_of(settings, found.max_model_len)
        resolved = replace(self._setup.resolved, max_model_len=window)
        engine = make_engine(settings, resolved, found.module)
        text = await asyncio.to_thread(self._maker.make, found.module, engine, window, encoders_of(self._located))
        await bring_up(engine)
        self._loaded.text.hand_over(text)
        self._setup = replace(self._setup, resolved=resolved)

    def _check_together(self, modality: Modality, found: FoundModule) -> None:
        """Embeddings must have the decoder's width, positions and a place in its template, whichever of them is new."""
        text = found.module if modality == "text" else self._located["text"]
        others = {modality: found.module} if modality != "text" else self._located
        for name, module in others.items():
            if module.spec.kind == "encoder" and module.spec.d_out != (width := decoder_width(text.files[0])):
                raise ModuleRefused(
                    f"the {name} module gives embeddings of {module.spec.d_out} numbers, and the decoder takes {width}",
                    param="source",
                )

        try:
            check_encoders({**self._located, modality: found.module})
            if modality != "text":
                check_places(self._loaded.text.current.template, encoders_of({modality: found.module}))
        except SetupError as error:
            raise ModuleRefused(str(error), param="source") from error

    def _check_memory(self, modality: Modality, wanted: Located) -> None:
        """For a moment both are there. Raises ModuleRefused with the numbers."""
        if not self._setup.settings.check_memory:
            return
        try:
            parts = estimate_memory(self._setup.settings, self._setup.resolved, wanted).parts
        except BundleError as error:
            log.warning("the memory that the new module will take is not known: %s", error)
            return
        process = PROCESSES[modality]
        needed_bytes = sum(one.size_bytes for one in parts if one.process == process and one.kind == "held")
        held_bytes = sum(measured(self._loaded.pids()).values())
        if held_bytes + needed_bytes > self._loaded.machine_bytes:
            raise ModuleRefused(
                f"the new {process} process needs {megabytes(needed_bytes)} beside the {megabytes(held_bytes)} that "
                f"the server holds now, and this machine has {megabytes(self._loaded.machine_bytes)}; restart the "
                "server with the new module instead, or start it with --no-check-memory"
            )

    @contextlib.asynccontextmanager
    async def _change(self, modality: Modality, outcome: str) -> AsyncIterator[None]:
        """One at a time, and counted."""
        if self._busy.locked():
            raise ModuleRefused("another module is being loaded or unloaded; try again when that has ended")
        async with self._busy:
            try:
                yield
            except AutoGLMError as error:
                outcome = type(error).__name__
                log.warning("the %s module was not changed: %s", modality, error)
                raise
            except BaseException as error:
                outcome = type(error).__name__
                raise
            finally:
                self._observe(modality, outcome)

    def _info(self, modality: Modality) -> ModuleInfo | None:
        return next((info for info in self._loaded.infos() if info.modality == modality), None)

    def _told(self, modality: Modality, before: ModuleInfo | None, started_s: float) -> ModuleChange:
        change = ModuleChange(self._info(modality), before, time.monotonic() - started_s)
        now = change.loaded.version if change.loaded is not None else "nothing"
        log.info("the %s module is %s, after %.1f s", modality, now, change.seconds)
        return change


def _text_info(text: TextService) -> ModuleInfo:
    facts = text.engine.facts
    return module_info("text", text.module, memory_bytes=facts.memory_bytes if facts is not None else 0)
