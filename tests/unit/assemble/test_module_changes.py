"""What is refused before a process is started: the rest is tests/real/test_module_swap.py's."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_gguf import write_decoder, write_mmproj

from autoglm_phone.assemble.module_changes import LoadedModules, ModuleChanger
from autoglm_phone.assemble.module_sources import FoundModule, ModuleSources
from autoglm_phone.assemble.processes import Setup
from autoglm_phone.assemble.text_service import ChangingText, TextMaker, TextService
from autoglm_phone.chat.prompt_builder import PromptConfig
from autoglm_phone.core.errors import InvalidRequest, ModuleRefused, NoSuchModule
from autoglm_phone.core.memory import MemoryReport
from autoglm_phone.core.module import Modality
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.process_engine import ProcessEngine
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.reading.changing_media import ChangingMedia
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.settings import Hardware, Settings, resolve
from autoglm_phone.speaking.changing_voice import ChangingVoice
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.module_spec import Widths
from autoglm_phone.weights.store import LocatedModule, Store

PLENTY = 1 << 40


class GivenSources(ModuleSources):
    """Finds what it was given."""

    def __init__(self, found: FoundModule) -> None:
        self.found = found

    def find(self, modality: Modality, source: str) -> FoundModule:
        return self.found


def changer(
    bundle: Bundle, located: dict[Modality, LocatedModule], found: FoundModule, machine: int, **fields: int
) -> ModuleChanger:
    settings = Settings.model_validate(fields)
    setup = Setup(settings, resolve(settings, Hardware(2, machine), bundle.max_model_len), bundle)
    config = EngineConfig()
    engine = ProcessEngine(config, "no_such_module_anywhere", b"", ProcessOptions())
    text = TextService(located["text"], engine, None, None, None)  # type: ignore[arg-type]  # nobody asks them
    media = ChangingMedia(None)
    loaded = LoadedModules(ChangingText(text), media, ChangingVoice(None), MemoryReport(None, machine, {}))
    maker = TextMaker(media, PromptConfig(512, 64, "error", "You are tiny."), ServerMetrics(), 8)
    return ModuleChanger(setup, located, loaded, GivenSources(found), maker, lambda modality, outcome: None)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Bundle, dict[Modality, LocatedModule]]:
    write_decoder(tmp_path / "text.gguf")
    write_mmproj(tmp_path / "mmproj.gguf")
    store = Store(tmp_path / "home")
    bundle = store.find(str(tmp_path))
    return bundle, store.locate(bundle)


Pair = tuple[Bundle, dict[Modality, LocatedModule]]


def blind(pair: Pair) -> Pair:
    """Without the encoder."""
    bundle, located = pair
    return bundle, {"text": located["text"]}


def run(change: Coroutine[None, None, object]) -> None:
    asyncio.run(asyncio.wait_for(change, 20))


def test_the_decoder_cannot_be_unloaded_nor_what_is_not_there(pair: Pair) -> None:
    bundle, located = pair
    found = FoundModule(located["text"], 8192)
    with pytest.raises(InvalidRequest, match="without a decoder"):
        run(changer(bundle, located, found, PLENTY).unload("text"))
    with pytest.raises(NoSuchModule, match="speech module is not loaded"):
        run(changer(bundle, located, found, PLENTY).unload("speech"))


def test_an_encoder_of_another_width_than_the_decoders_is_refused(pair: Pair) -> None:
    bundle, located = pair
    wide = msgspec.structs.replace(located["vision"].spec, widths=Widths(d_out=16))
    found = FoundModule(replace(located["vision"], spec=wide), 8192)
    with pytest.raises(ModuleRefused, match="vision module gives embeddings of 16 numbers, and the decoder takes 8"):
        run(changer(bundle, located, found, PLENTY).load("vision", "wide"))


def test_a_decoder_of_another_width_than_the_encoders_is_refused(pair: Pair, tmp_path: Path) -> None:
    bundle, located = pair
    wide = replace(located["text"], files=(write_decoder(tmp_path / "wide.gguf", 16),))
    with pytest.raises(ModuleRefused, match="gives embeddings of 8 numbers, and the decoder takes 16"):
        run(changer(bundle, located, FoundModule(wide, 8192), PLENTY).load("text", "wide"))


def test_a_decoder_with_a_shorter_window_than_was_asked_for_is_refused(pair: Pair) -> None:
    bundle, located = blind(pair)
    short = FoundModule(located["text"], 256)
    with pytest.raises(ModuleRefused, match="max_model_len is 512, and this model is made for 256 tokens"):
        run(changer(bundle, located, short, PLENTY, max_model_len=512).load("text", "short"))


def test_there_is_one_voice(tmp_path: Path) -> None:
    with pytest.raises(NoSuchModule, match="there is one voice, autoglm-phone-voice; 'whisper' is none"):
        ModuleSources(Store(tmp_path), ()).find("voice", "whisper")


def test_where_both_do_not_fit_the_numbers_are_told(pair: Pair, tmp_path: Path) -> None:
    bundle, located = blind(pair)
    reader = msgspec.structs.replace(bundle.modules["vision"], kind="transcriber")
    eyes = FoundModule(LocatedModule(reader, (tmp_path / "mmproj.gguf",)), 8192)
    with pytest.raises(
        ModuleRefused, match=r"media process needs [\d,]+ MB beside the [\d,]+ MB .* machine has 100 MB"
    ):
        run(changer(bundle, located, eyes, 100_000_000).load("vision", "eyes"))


def test_a_decoder_that_does_not_fit_beside_the_old_one_is_refused(pair: Pair) -> None:
    bundle, located = blind(pair)
    with pytest.raises(ModuleRefused, match=r"the new engine process needs [\d,]+ MB beside .*; restart the server"):
        run(changer(bundle, located, FoundModule(located["text"], 8192), 50_000_000).load("text", "twin"))


def test_one_change_at_a_time(pair: Pair) -> None:
    bundle, located = blind(pair)

    async def test() -> None:
        one = changer(bundle, located, FoundModule(located["text"], 256), PLENTY)
        outcomes = await asyncio.gather(one.load("text", "a"), one.load("text", "b"), return_exceptions=True)
        assert sorted("another module" in str(outcome) for outcome in outcomes) == [False, True]

    run(test())
