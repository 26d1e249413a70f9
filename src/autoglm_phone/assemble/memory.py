"""The server's memory before it is there: the decoder's by its file, the other modules' and processes' by measurement.

Figures in bytes of resident memory, Linux on x86-64; docs/performance.md holds them against a running server.
"""

import os
from collections.abc import Mapping

from autoglm_phone.assemble.encoders import encoder_parts, encoders_of
from autoglm_phone.assemble.resident import resident_bytes
from autoglm_phone.backends.llama_cpp.memory import StepSizes, decoder_memory, read_decoder, vocabulary_entries
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.memory import MemoryEstimate, MemoryPart, ProcessName
from autoglm_phone.core.module import Modality
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.weights.store import LocatedModule

# Python with what each process imports, before it has loaded anything.
API_BYTES, ENGINE_BYTES, MEDIA_BYTES = 95_000_000, 42_000_000, 42_000_000
# The tokenizer of the API process, for a token or a merge of a byte-pair vocabulary.
TOKENIZER_ENTRY_BYTES = 206
# Whisper's weights are halves in its file and int8 in memory; the rest is CTranslate2, FFmpeg, the voice detector's
# session, and the buffers of a window.
SPEECH_WEIGHTS_PART, SPEECH_BYTES = 1 / 2, 81_000_000
# The screen reader's weights stand in ONNX Runtime's session and once more as it packs them.
VISION_WEIGHTS_PART, VISION_BYTES = 2, 71_000_000
# As for the screen reader; and the English dictionary.
VOICE_WEIGHTS_PART, VOICE_BYTES = 2, 60_000_000
# Eight seconds of speech, the most that is computed at once: the process was seen to take 1,430 MB in all.
SENTENCE_BYTES = 1_130_000_000
# Reading a screenshot and a sound at once, with the buffers that the first of each makes.
READING_BYTES = 235_000_000
# Both ends of the wall hold what is asked for: the door until it is answered, the engine to compute it again.
OPEN_EMBEDDINGS: tuple[ProcessName, ...] = ("api", "engine")


def estimate(
    located: Mapping[Modality, LocatedModule],
    engine: EngineConfig,
    caches: tuple[int, int],
    *,
    has_native_kernels: bool,
    image_tokens: int = 0,
) -> MemoryEstimate:
    """caches: bytes of spilled prefixes, and of media read before. image_tokens: of an encoder, most of a picture.

    Raises BundleError, see decoder_memory.
    """
    decoder = read_decoder(located["text"].files[0])
    sizes = StepSizes(
        kv_tokens=engine.kv_tokens,
        max_slots=engine.max_slots,
        max_step_tokens=engine.max_step_tokens,
        max_draft=engine.max_guesses,
    )
    spill_bytes, media_cache_bytes = caches
    parts = [
        *decoder_memory(decoder, sizes, has_native_kernels=has_native_kernels),
        MemoryPart("engine", "process", ENGINE_BYTES),
        MemoryPart("engine", "spilled prefixes", spill_bytes, "growing"),
        MemoryPart("api", "process", API_BYTES),
        MemoryPart("api", "tokenizer", vocabulary_entries(decoder.metadata) * TOKENIZER_ENTRY_BYTES),
    ]
    vision, speech = located.get("vision"), located.get("speech")
    if vision is not None or speech is not None:
        parts += [
            MemoryPart("media", "process", MEDIA_BYTES),
            MemoryPart("media", "a reading", READING_BYTES, "growing"),
            MemoryPart("media", "readings kept", media_cache_bytes, "growing"),
        ]
    encoders = encoders_of(located)
    if speech is not None and "speech" not in encoders:
        parts.append(_media_part("speech", speech, SPEECH_WEIGHTS_PART, SPEECH_BYTES))
    if vision is not None and "vision" not in encoders:
        parts.append(_media_part("vision", vision, VISION_WEIGHTS_PART, VISION_BYTES))
    if encoders:
        parts += encoder_parts(encoders, image_tokens)
        parts += [
            MemoryPart(process, "embeddings of open requests", engine.max_embed_bytes, "growing")
            for process in OPEN_EMBEDDINGS
        ]
    if (voice := located.get("voice")) is not None:
        parts += [
            MemoryPart("voice", "process", MEDIA_BYTES),
            MemoryPart("voice", "voice", round(voice.spec.size_bytes * VOICE_WEIGHTS_PART) + VOICE_BYTES),
            MemoryPart("voice", "a sentence", SENTENCE_BYTES, "growing"),
        ]
    return MemoryEstimate(tuple(part for part in parts if part.size_bytes))


def check_fits(memory: MemoryEstimate, machine_bytes: int, model: str) -> None:
    """Raises SetupError with the numbers."""
    if memory.needed_bytes <= machine_bytes:
        return
    largest = sorted((part for part in memory.parts if part.kind == "held"), key=lambda part: -part.size_bytes)
    named = ", ".join(f"{part.process} {part.name} {megabytes(part.size_bytes)}" for part in largest[:4])
    raise SetupError(
        f"{model} needs {megabytes(memory.needed_bytes)} of memory ({named}, ...), and this machine has "
        f"{megabytes(machine_bytes)}; choose a smaller model, lower --kv-tokens, leave modules out with --no-speech "
        "and --no-vision, or start in spite of it with --no-check-memory"
    )


def measured(pids: Mapping[ProcessName, int | None]) -> dict[ProcessName, int]:
    """RSS of this process and of those that run, by name."""
    sizes: dict[ProcessName, int] = {}
    for name, pid in {"api": os.getpid(), **pids}.items():
        if pid is not None:
            try:
                sizes[name] = resident_bytes(pid)
            except OSError:  # it has ended meanwhile
                continue
    return sizes


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"


def _media_part(name: str, module: LocatedModule, weights_part: float, runtime_bytes: int) -> MemoryPart:
    return MemoryPart("media", name, round(module.spec.size_bytes * weights_part) + runtime_bytes)
