"""What answers in text: one decoder's process with the tokenizer, template and prompts that belong to it.

They are one value, so that a request which was made into tokens for a decoder is answered by that one, whatever has
been loaded meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from autoglm_phone.assemble.encoders import Modules, check_places
from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.chat_service import ChatService
from autoglm_phone.chat.delta import Delta
from autoglm_phone.chat.observer import Observer
from autoglm_phone.chat.prompt_builder import BuiltPrompt, PromptBuilder, PromptConfig
from autoglm_phone.core.module import MediaDoor
from autoglm_phone.core.request import EngineStatus
from autoglm_phone.engine.process_engine import ProcessEngine
from autoglm_phone.ipc.handover import Handover
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.server.services import Decoder
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.text.known_templates import known_template
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.gguf_file import Value, read_metadata
from autoglm_phone.weights.store import LocatedModule

RETURN_S = 1.0


@dataclass(frozen=True, eq=False)
class TextService:
    module: LocatedModule
    engine: ProcessEngine
    template: ChatTemplate
    chat: ChatService
    decoder: Decoder


@dataclass(frozen=True)
class TextMaker:
    """What every decoder of this server gets; but its window is its own. max_running: requests computed at once."""

    media: MediaDoor
    prompts: PromptConfig
    observer: Observer
    max_running: int

    def make(self, module: LocatedModule, engine: ProcessEngine, window: int, encoders: Modules) -> TextService:
        """Reads the vocabulary and tries the template out, for half a second. Raises SetupError.

        window: in tokens, as the engine has it. encoders: whose embeddings need a place in the prompt.
        """
        metadata = read_metadata(module.files[0])
        tokenizer = Tokenizer(metadata)
        template = ChatTemplate(template_source(module.template, metadata, tokenizer), tokenizer)
        check_places(template, encoders)  # raises now, rather than at the first picture
        prompts = replace(self.prompts, max_model_len=window, max_tokens=min(self.prompts.max_tokens, window))
        builder = PromptBuilder(template, tokenizer, prompts)
        chat = ChatService(engine, self.media, builder, tokenizer, self.observer)
        del metadata  # the words of the vocabulary once more: as much as the tokenizer itself
        return_free_memory()
        decoder = Decoder(tokenizer, template.source, self.max_running, window)
        return TextService(module, engine, template, chat, decoder)


def template_source(file: Path | None, metadata: Mapping[str, Value], tokenizer: Tokenizer) -> str:
    """The bundle's, else the decoder file's, else the one that its family is known to use; may be empty."""
    if file is not None:
        return file.read_text(encoding="utf-8")
    return str(metadata.get("tokenizer.chat_template", "")) or known_template(tokenizer)


class ChangingText:
    """The use case over a decoder that can be replaced while it answers."""

    def __init__(self, first: TextService) -> None:
        self._handover = Handover(first, _end)

    @property
    def current(self) -> TextService:
        return self._handover.current

    @property
    def leaving(self) -> list[tuple[TextService, int]]:
        """Those that were replaced, with the requests that they still answer."""
        return self._handover.leaving

    def hand_over(self, new: TextService) -> None:
        """new: its engine is started and ready."""
        self._handover.hand_over(new)

    async def stop(self) -> None:
        await self._handover.stop()

    def decoder(self) -> Decoder:
        return self.current.decoder

    def status(self) -> EngineStatus:
        return self.current.engine.status()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        with self._handover.using() as text:
            async with aclosing(text.chat.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta

    async def prepare(self, request: ChatRequest) -> BuiltPrompt:
        with self._handover.using() as text:
            return await text.chat.prepare(request)


async def _end(text: TextService) -> None:
    await text.engine.stop()
    # Its vocabulary is let go when this has returned; what the allocator keeps of it then goes back a turn later.
    asyncio.get_running_loop().call_later(RETURN_S, return_free_memory)
