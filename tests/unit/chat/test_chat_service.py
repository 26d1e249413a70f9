"""ChatService over a scripted engine and media process: order of deltas, counts, and what closing it closes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from tiny_vocabulary import CHATML, tiny_tokenizer

from autoglm_phone.chat.chat_request import ChatRequest, RawPrompt, Thinking
from autoglm_phone.chat.chat_service import ChatService
from autoglm_phone.chat.delta import ContentDelta, Delta, Finished, ReasoningDelta, Started
from autoglm_phone.chat.observer import ChatTimes
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.core.conversation import AudioPart, Conversation, ImagePart, Message, Part, TextPart
from autoglm_phone.core.errors import MediaUndecodable, UnsupportedModality, WorkerDied
from autoglm_phone.core.ids import Digest, TokenId
from autoglm_phone.core.module import MediaDoor, MediaReading, Reading
from autoglm_phone.core.request import ANYONE, Client, EngineStatus, FinishReason, Request, SamplingParams, TokenEvent
from autoglm_phone.text.chat_template import ChatTemplate

TOKENIZER = tiny_tokenizer()
END = TokenId(257)
SCREEN = ImagePart(b"screen", "messages[0].content[0]")
VOICE = AudioPart(b"voice", "messages[0].content[1]")


def said(text: str, finish: FinishReason | None = None, *, cached: int = 0) -> TokenEvent:
    return TokenEvent(tuple(TOKENIZER.encode(text)), finish, cached_tokens=cached, queue_s=0.01)


class ScriptedEngine:
    """Each request gets the next script; an exception in it is raised. Counts what was closed."""

    def __init__(self, *scripts: Sequence[TokenEvent | Exception]) -> None:
        self._scripts = iter(scripts)
        self.requests: list[Request] = []
        self.num_open = 0

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        self.requests.append(request)
        self.num_open += 1
        try:
            for step in next(self._scripts):
                await asyncio.sleep(0)
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.num_open -= 1

    def status(self) -> EngineStatus:
        return EngineStatus("ready")


class MeetingMedia:
    """Ends no reading before all that are expected have begun: they must run side by side."""

    def __init__(self, expected: int, modalities: Sequence[str] = ("vision", "speech")) -> None:
        self._missing, self._modalities = expected, modalities
        self._all_here = asyncio.Event()
        self.num_given_up = 0

    def has(self, modality: Literal["vision", "speech"]) -> bool:
        return modality in self._modalities

    async def read_image(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        return await self._read("vision", '"Settings" [500,100]', param)

    async def read_sound(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        if data == b"noise":
            raise MediaUndecodable(f"{param} cannot be decoded", param=param)
        return await self._read("speech", "hello", param)

    async def _read(self, modality: Literal["vision", "speech"], text: str, param: str) -> MediaReading:
        self._missing -= 1
        if self._missing == 0:
            self._all_here.set()
        try:
            await self._all_here.wait()
        except asyncio.CancelledError:
            self.num_given_up += 1
            raise
        return MediaReading(modality, Reading(text, param), Digest("a"), Digest("b"), False, 0.5)


@dataclass
class Notes:
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    done: list[ChatTimes] = field(default_factory=list)

    def first_token(self, seconds: float, queue_s: float) -> None:
        self.first.append(queue_s)

    def next_token(self, seconds: float) -> None:
        self.gaps.append(seconds)

    def media_read(self, reading: MediaReading) -> None:
        self.media.append(reading.modality)

    def finished(self, times: ChatTimes, now_s: float) -> None:
        self.done.append(times)


def service(engine: ScriptedEngine, notes: Notes, media: MediaDoor | None = None) -> ChatService:
    config = PromptConfig(2000, 100, "error", "You help.")
    return ChatService(
        engine, media, PromptBuilder(ChatTemplate(CHATML, TOKENIZER), TOKENIZER, config), TOKENIZER, notes
    )


def ask(*parts: Part, **fields: object) -> ChatRequest:
    messages = (Message("user", parts or (TextPart("hi"),)),)
    return ChatRequest(Conversation(messages), SamplingParams(), **fields)  # type: ignore[arg-type]  # any field


def chat(engine: ScriptedEngine, request: ChatRequest, notes: Notes, media: MediaDoor | None = None) -> list[Delta]:
    async def collect() -> list[Delta]:
        return [delta async for delta in service(engine, notes, media).stream(request)]

    deltas = asyncio.run(collect())
    assert isinstance(deltas[0], Started)
    assert [isinstance(delta, Finished) for delta in deltas].index(True) == len(deltas) - 1
    assert engine.num_open == 0
    return deltas


def content(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ContentDelta))


def reasoning(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))


def finished(deltas: Sequence[Delta]) -> Finished:
    assert isinstance(deltas[-1], Finished)
    return deltas[-1]


def test_an_answer_is_started_streamed_and_finished_with_its_counts() -> None:
    notes, engine = Notes(), ScriptedEngine([said("Hel", cached=5), said("lo", "stop", cached=5)])
    deltas = chat(engine, ask(), notes)
    assert deltas[1:-1] == [ContentDelta(letter) for letter in "Hello"]
    usage = finished(deltas).usage
    assert deltas[0] == Started(usage.prompt_tokens, 0)
    assert (finished(deltas).reason, usage.completion_tokens, usage.cached_tokens) == ("stop", 5, 5)
    assert usage.prompt_tokens == len(engine.requests[0].prompt)
    assert (engine.requests[0].max_tokens, engine.requests[0].stop_tokens) == (100, frozenset({END}))
    assert (notes.first, len(notes.gaps)) == ([0.01], 1)
    assert (notes.done[0].outcome, notes.done[0].completion_tokens) == ("stop", 5)


def test_a_character_over_two_events_is_sent_whole() -> None:
    first, second = TOKENIZER.encode("好")[:2], TOKENIZER.encode("好")[2:]
    engine = ScriptedEngine([TokenEvent(tuple(first)), TokenEvent(tuple(second)), TokenEvent((), "length")])
    deltas = chat(engine, ask(), Notes())
    assert deltas[1:-1] == [ContentDelta("好")]
    assert finished(deltas).reason == "length"


def test_a_stop_string_ends_the_answer_and_the_engines_work() -> None:
    engine = ScriptedEngine([said("one S"), said("TOP two"), said("never asked for", "length")])
    deltas = chat(engine, ask(stop=("STOP",)), Notes())
    assert content(deltas) == "one "
    assert finished(deltas).reason == "stop"
    assert finished(deltas).usage.completion_tokens == len("one STOP"), "what came in the same step is not counted"


def test_ignore_eos_sends_no_stop_tokens() -> None:
    engine = ScriptedEngine([said("x", "length")])
    chat(engine, ask(ignore_eos=True, max_tokens=7), Notes())
    assert (engine.requests[0].stop_tokens, engine.requests[0].max_tokens) == (frozenset(), 7)


@pytest.mark.parametrize(
    ("thought", "beyond"), [(" for it.</think>", "junk"), (" for it.", ""), (" for it.<answer>", "early")]
)
def test_behind_a_thought_however_it_ends_the_answer_is_asked_for(thought: str, beyond: str) -> None:
    notes = Notes()
    engine = ScriptedEngine(
        [said(thought[:3]), said(thought[3:] + beyond, "stop")], [said("It is.\n</answer>"), said("x", "stop")]
    )
    deltas = chat(engine, ask(thinking=Thinking(is_on=True), max_tokens=90), notes)
    assert reasoning(deltas).endswith(" for it.")
    assert content(deltas) == "It is."
    usage = finished(deltas).usage
    assert usage.reasoning_tokens == len(thought)
    assert usage.completion_tokens == len(thought) + len("It is.\n</answer>")
    first, second = engine.requests
    assert (first.max_tokens, second.max_tokens) == (45, 90 - len(thought))
    assert second.prompt.tokens[: len(first.prompt)] == first.prompt.tokens
    assert len(notes.first) == 1


def test_a_thought_that_is_not_asked_for_is_counted_but_not_sent() -> None:
    engine = ScriptedEngine([said("hm", "stop")], [said("Yes", "stop")])
    deltas = chat(engine, ask(thinking=Thinking(is_on=True, is_sent=False)), Notes())
    assert (reasoning(deltas), content(deltas)) == ("", "Yes")
    assert finished(deltas).usage.reasoning_tokens == 2


def test_a_thought_that_takes_every_token_is_an_answer_cut_by_length() -> None:
    engine = ScriptedEngine([said("a", "length")])
    deltas = chat(engine, ask(thinking=Thinking(is_on=True), max_tokens=1), Notes())
    assert (content(deltas), finished(deltas).reason, len(engine.requests)) == ("", "length", 1)


def test_a_model_that_thinks_of_itself_is_split_as_well() -> None:
    engine = ScriptedEngine([said("<think>hm</think>"), said("<answer>Yes</answer>", "stop")])
    deltas = chat(engine, ask(), Notes())
    assert (reasoning(deltas), content(deltas)) == ("hm", "Yes")


def test_a_thought_of_its_own_is_closed_at_its_budget_and_the_answer_asked_for() -> None:
    engine = ScriptedEngine([said("<think>"), said("hm hm hm"), said("hm"), said("!", "stop")], [said("Yes", "stop")])
    deltas = chat(engine, ask(thinking=Thinking(budget=8), max_tokens=80), Notes())
    assert (reasoning(deltas), content(deltas)) == ("hm hm hm", "Yes")
    first, second = engine.requests
    assert TOKENIZER.written(second.prompt.tokens[len(first.prompt) :]) == "<think>\nhm hm hm\n</think>\n<answer>\n"
    assert second.max_tokens == 80 - len("<think>hm hm hm")
    assert finished(deltas).usage.reasoning_tokens == len("<think>hm hm hm")


def test_several_choices_share_a_prompt_and_differ_in_seed() -> None:
    engine = ScriptedEngine([said("a", "stop")], [said("bb", "stop")], [said("ccc", "length")])
    request = replace(ask(num_choices=3), sampling=SamplingParams(seed=7))

    async def collect() -> list[Delta]:
        return [delta async for delta in service(engine, Notes()).stream(request)]

    deltas = asyncio.run(collect())
    ends = [delta for delta in deltas if isinstance(delta, Finished)]
    assert sorted((end.choice, end.reason, end.usage.completion_tokens) for end in ends) == [
        (0, "stop", 1),
        (1, "stop", 2),
        (2, "length", 3),
    ]
    assert len([delta for delta in deltas if isinstance(delta, Started)]) == 1
    assert [asked.sampling.seed for asked in engine.requests] == [7, 8, 9]
    assert len({asked.prompt.tokens for asked in engine.requests}) == 1


def test_a_raw_prompt_is_fed_as_it_is() -> None:
    engine = ScriptedEngine([said("</think> <answer>", "stop")])
    raw = RawPrompt("<|im_start|>user\nhi")
    deltas = chat(engine, ChatRequest(raw, SamplingParams(), stop_tokens=(TokenId(9),)), Notes())
    assert content(deltas) == "</think> <answer>"
    [asked] = engine.requests
    assert asked.prompt.tokens == (256, *b"user\nhi")
    assert asked.stop_tokens == {END, 9}


def test_pictures_and_sounds_are_read_side_by_side_and_counted() -> None:
    async def collect() -> list[Delta]:
        chats = service(engine, notes, MeetingMedia(expected=2))
        return [delta async for delta in chats.stream(ask(SCREEN, VOICE, TextPart("What?")))]

    notes, engine = Notes(), ScriptedEngine([said("ok", "stop")])
    usage = finished(asyncio.run(collect())).usage
    assert usage.image_tokens > len('"Settings" [500,100]')
    assert usage.audio_tokens > len("hello")
    assert sorted(notes.media) == ["speech", "vision"]


def refused(
    expected: type[Exception], says: str, request: ChatRequest, modalities: Sequence[str] | None
) -> MeetingMedia:
    async def collect() -> MeetingMedia:
        media = MeetingMedia(expected=9, modalities=modalities or ())
        chats = service(engine, notes, None if modalities is None else media)
        with pytest.raises(expected, match=says):
            await anext(chats.stream(request))
        return media

    notes, engine = Notes(), ScriptedEngine()
    media = asyncio.run(collect())
    assert engine.requests == []
    assert notes.done[0].outcome == expected.__name__
    return media


def test_a_missing_module_is_named() -> None:
    refused(UnsupportedModality, r"messages\[0\]\.content\[0\].*vision module", ask(SCREEN), ["speech"])
    refused(UnsupportedModality, r"messages\[0\]\.content\[1\].*speech module", ask(VOICE), None)


def test_one_unreadable_part_gives_up_the_others() -> None:
    noise = AudioPart(b"noise", "messages[0].content[1]")
    media = refused(MediaUndecodable, r"content\[1\] cannot", ask(SCREEN, noise), ["vision", "speech"])
    assert media.num_given_up == 1


def test_closing_the_stream_closes_the_engines() -> None:
    async def leave() -> None:
        async with aclosing(service(engine, notes).stream(ask())) as deltas:
            assert isinstance(await anext(deltas), Started)
            assert await anext(deltas) == ContentDelta("a")
            assert engine.num_open == 1
        assert engine.num_open == 0

    notes, engine = Notes(), ScriptedEngine([said("a"), said("b"), said("c", "stop")])
    asyncio.run(leave())
    assert notes.done[0].outcome == "left"


def test_an_engine_that_dies_is_passed_on_and_told() -> None:
    async def collect() -> None:
        async for delta in service(engine, notes).stream(ask()):
            got.append(delta)  # noqa: PERF401  # what came before the error is wanted

    got: list[Delta] = []
    notes, engine = Notes(), ScriptedEngine([said("a"), WorkerDied("gone")])
    with pytest.raises(WorkerDied):
        asyncio.run(collect())
    assert got[1:] == [ContentDelta("a")]
    assert (notes.done[0].outcome, engine.num_open) == ("WorkerDied", 0)
