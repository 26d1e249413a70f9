"""What is said about the server itself, and the form of every error."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from autoglm_phone.server.openapi.answers.chat import Seconds1970


class Fault(TypedDict):
    message: Annotated[str, Field(description="What is wrong, the limit, and the way out.")]
    type: Annotated[str, Field(description="The kind, as OpenAI names it.")]
    param: Annotated[str | None, Field(description="The field, as in `messages[0].content[1]`.")]
    code: Annotated[str | None, Field(description="For programs; see the status.")]


class Failure(TypedDict):
    error: Fault


class LoadedModule(TypedDict):
    modality: Literal["text", "vision", "speech", "voice"]
    kind: Annotated[str, Field(description="decoder, encoder, transcriber or speaker.")]
    arch: str
    version: str
    digest: Annotated[str, Field(description="sha256 of its files.")]
    files: list[str]
    memory_bytes: int
    limits: Annotated[str, Field(description="What it cannot do, in words.")]
    licence: Annotated[str, Field(description="As its bundle names it (SPDX).")]


class ModuleInUse(LoadedModule):
    requests: Annotated[int, Field(description="Those that its process is answering.")]
    is_leaving: Annotated[
        bool, Field(description="It was replaced, and ends when the requests that it answers have ended.")
    ]


class ModuleList(TypedDict):
    object: Literal["list"]
    data: list[ModuleInUse]


class ModuleChanged(TypedDict):
    object: Literal["module.change"]
    loaded: Annotated[LoadedModule | None, Field(description="Null: it was unloaded.")]
    replaced: Annotated[LoadedModule | None, Field(description="Null: there was none.")]
    seconds: Annotated[float, Field(description="From the request to the change.")]


class ModuleVersion(TypedDict):
    modality: Literal["text", "vision", "speech", "voice"]
    version: str
    digest: str


class ModelCard(TypedDict):
    id: str
    object: Literal["model"]
    created: Seconds1970
    owned_by: str
    root: Annotated[str, Field(description="The true id.")]
    parent: Annotated[str | None, Field(description="The true id if this name is an alias.")]
    max_model_len: Annotated[int, Field(description="The window, in tokens.")]
    aliases: list[str]
    limits: Annotated[str, Field(description="What the bundle cannot do, in words.")]
    modules: list[LoadedModule]


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelCard]


class ProcessHealth(TypedDict):
    state: Literal["stopped", "loading", "ready", "failed"]
    error: str
    restarts: int


class Health(TypedDict):
    status: Annotated[
        Literal["ok", "degraded", "stopped", "loading", "failed"],
        Field(description="`degraded`: text is answered, the process that reads pictures and sounds is not there."),
    ]
    version: str
    engine_pid: int | None
    engine: ProcessHealth
    media_pid: int | None
    media: Annotated[ProcessHealth | None, Field(description="Null on a server without eyes and ears.")]
    modules: Annotated[list[ModuleVersion], Field(description="Those that are loaded now.")]


class MemoryPart(TypedDict):
    process: Literal["api", "engine", "media"]
    name: Annotated[str, Field(description="In words; may change.")]
    size_bytes: int
    kind: Annotated[
        Literal["held", "reclaimable", "growing"],
        Field(
            description="`held`: from the start on. `reclaimable`: pages of a file that the system takes back where "
            "memory is short. `growing`: at most so much more, as requests come."
        ),
    ]


class EstimatedMemory(TypedDict):
    needed_bytes: Annotated[int, Field(description="All that is `held`: without so much the server cannot work.")]
    resident_bytes: Annotated[int, Field(description="That and what is `reclaimable`: the processes once ready.")]
    largest_bytes: Annotated[int, Field(description="All: every cache full, every seat taken, media being read.")]
    parts: list[MemoryPart]


class MeasuredMemory(TypedDict):
    process: Literal["api", "engine", "media"]
    resident_bytes: int


class Memory(TypedDict):
    machine_bytes: Annotated[int, Field(description="Of the machine or of the container.")]
    estimated: Annotated[EstimatedMemory | None, Field(description="Null if the decoder's file does not say enough.")]
    measured: Annotated[list[MeasuredMemory], Field(description="Processes that run now.")]


class DefaultSampling(TypedDict):
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float


class DefaultGeneration(TypedDict):
    n_ctx: Annotated[int, Field(description="The window, in tokens.")]
    params: DefaultSampling


class Modalities(TypedDict):
    vision: bool
    audio: bool


class Props(TypedDict):
    default_generation_settings: DefaultGeneration
    total_slots: Annotated[int, Field(description="Requests that are computed at once.")]
    model_alias: str
    modalities: Modalities
    chat_template: str
    bos_token: str
    eos_token: str
    build_info: str
