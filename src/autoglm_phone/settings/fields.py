"""Every setting with its default, its bounds and its meaning: help, docs/configuration.md and errors come from here."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, SecretStr

AtLeastOne = Annotated[int, Field(ge=1)]
Chunk = Annotated[int, Field(ge=1, le=512)]
Auto = Literal["auto"]


def _split(value: object) -> object:
    """A list in a flag or a variable is written with commas."""
    return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_split)]


class Settings(BaseModel):
    """Frozen from the start. Sizes may be written as `96MiB`, lists with commas, switches as true and false."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    # The model
    model: Name = Field(
        default="autoglm-phone-nano",
        description="What to serve: a bundle's id, its folder, a GGUF file, or a checkpoint's folder",
    )
    speech: bool = Field(default=True, description="Load the bundle's speech module")
    vision: bool = Field(default=True, description="Load the bundle's vision module")
    voice: Literal["auto", "on", "off"] = Field(
        default="auto", description="Load the voice autoglm-phone-voice: auto where it is installed, on, or off"
    )
    default_system_prompt: bool = Field(
        default=True, description="Give requests without a system message the bundle's own system prompt"
    )

    # The address and who may use it
    host: Name = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 lets other machines in")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    api_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Key that requests must bring; better set by variable or file than by flag",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Key that loads and unloads modules while the server runs; without one nobody may",
    )
    module_path: Names = Field(
        default=(),
        description="Folders that modules may be loaded from while the server runs, besides the catalogue and the "
        "store's imported bundles",
    )
    served_model_name: Names = Field(default=(), description="Further names under which the model is served")
    strict_model: bool = Field(default=False, description="Do not answer to the name autoglm-phone-9b")
    allowed_hosts: Names = Field(
        default=(),
        description="Further Host headers to let in; checked on a loopback address, elsewhere only if set; * is all",
    )
    allow_media_urls: bool = Field(
        default=False, description="Fetch pictures and sounds from http(s) addresses (never private ones)"
    )

    # The window
    profile: Literal["default", "phone"] = Field(
        default="default", description="phone: a window of 2048 tokens and truncation auto, unless they are set too"
    )
    max_model_len: int = Field(default=8192, ge=256, description="Window in tokens: prompt and answer of one request")
    truncation: Literal["error", "auto"] = Field(
        default="error", description="A prompt over the window is refused (error) or loses its oldest turns (auto)"
    )
    max_tokens: int = Field(default=1024, ge=1, description="Tokens of an answer where the request sets no limit")

    # The engine
    threads: AtLeastOne | Auto = Field(default="auto", description="CPU threads of the decoder; auto: all cores")
    native_kernels: bool = Field(
        default=True, description="Use kernels built for this CPU, where `autoglm-phone kernels build` has made them"
    )
    check_memory: bool = Field(
        default=True, description="Refuse to start where model and KV cache would not fit the machine's memory"
    )
    kv_tokens: int = Field(default=16_384, ge=256, description="Tokens that the KV cache holds, shared by all requests")
    max_running: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Requests computed at once; a quarter more for clients of whom none is computed yet",
    )
    max_waiting: int = Field(
        default=64,
        ge=0,
        description="Requests that may wait beyond those; more are refused, but for a client who has few",
    )
    prefill_chunk: Chunk | Auto = Field(
        default="auto", description="Prompt tokens a step while answers stream; auto: as step_target_ms allows"
    )
    prefill_chunk_idle: int = Field(
        default=512,
        ge=1,
        le=2048,
        description="Prompt tokens a step while nothing streams; newcomers and hang-ups wait for the end of a step",
    )
    step_target_ms: int = Field(
        default=90,
        ge=1,
        le=10_000,
        description="Milliseconds that a streaming answer may wait for somebody else's prompt",
    )
    max_cached: int = Field(default=16, ge=0, le=192, description="Finished prefixes kept in the KV cache for reuse")
    idle_kv_tokens: int = Field(
        default=256, ge=0, description="Tokens that finished prefixes may hold in the KV cache; the rest is spilled"
    )
    spill_bytes: Annotated[ByteSize, Field(ge=0)] | Auto = Field(
        default="auto",
        description="Memory for prefixes moved out of the KV cache; 0 forgets them instead; "
        "auto: 1/32 of the machine's, from 96MiB to 512MiB",
    )
    speculation: bool = Field(
        default=True, description="Compute likely next tokens ahead where that is faster; answers stay the same"
    )

    # Pictures and sounds
    image_tokens: int = Field(
        default=480,
        ge=16,
        le=8192,
        description="Most tokens of a picture, where the model has an encoder; a larger one is seen at a smaller size",
    )
    media_threads: AtLeastOne | Auto = Field(
        default="auto", description="CPU threads of reading a picture or sound; auto: one, or all cores for an encoder"
    )
    media_nice: int = Field(default=10, ge=0, le=19, description="How far reading media steps back for the decoder")
    media_timeout_s: AtLeastOne | Auto = Field(
        default="auto",
        description="Seconds that one picture may take to be read, and a sound besides its own length; auto: 60, and "
        "for an encoder what it may need of the medium on a slow and busy machine, up to an hour",
    )
    media_cache_bytes: Annotated[ByteSize, Field(ge=0)] | Auto = Field(
        default="auto",
        description="Memory for what was read before; auto: 16MiB, and with an encoder as much as a whole window of "
        "its embeddings takes, up to 256MiB",
    )
    max_body_bytes: ByteSize = Field(default=ByteSize(32 << 20), ge=1024, description="Largest body of a request")
    max_media_parts: int = Field(default=32, ge=0, description="Pictures and sounds of one request")
    max_image_pixels: int = Field(default=32_000_000, ge=1, description="Pixels of the largest picture")
    max_sound_s: int = Field(default=300, ge=1, description="Seconds of the longest sound")

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged")
