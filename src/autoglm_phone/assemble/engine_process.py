"""The engine process: llama.cpp over one GGUF, in a process of its own (`python -m` this module).

Its config is here too, for the server's side; that side never imports what loads a model.
"""

from pathlib import Path

import msgspec

from autoglm_phone.assemble.resident import resident_bytes
from autoglm_phone.core.backend import Backend, StepItem, StepPlan
from autoglm_phone.core.ids import SlotId, TokenId
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.messages import EngineFacts, encode
from autoglm_phone.ipc.child import ChildSocket, run_child

MODULE = "autoglm_phone.assemble.engine_process"


class EngineProcessConfig(msgspec.Struct, frozen=True):
    """What the parent tells the process at start, as JSON.

    threads   CPU threads of a step
    kernels   the plugin with kernels built for this CPU; None for the wheel's
    """

    model_file: str
    threads: int
    engine: EngineConfig
    kernels: str | None = None


def main(channel: ChildSocket, config_json: bytes) -> None:
    # Here and not at the top: the server's side imports this file for its config alone.
    from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
    from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
    from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
    from autoglm_phone.engine.engine_loop import EngineLoop
    from autoglm_phone.engine.worker import serve

    config = msgspec.json.decode(config_json, type=EngineProcessConfig)
    before_bytes = resident_bytes()
    library = LlamaLibrary(Path(config.kernels) if config.kernels is not None else None)
    backend = LlamaCppBackend(
        LlamaCppConfig(
            model_file=Path(config.model_file),
            kv_tokens=config.engine.kv_tokens,
            max_slots=config.engine.max_slots,
            max_step_tokens=config.engine.max_step_tokens,
            threads=config.threads,
            max_draft=config.engine.max_guesses,
        ),
        library,
    )
    warm_up(backend)
    loaded_bytes = resident_bytes() - before_bytes
    channel.send(encode(EngineFacts(loaded_bytes, backend.trained_window, library.kernels())))
    channel.send_ready()
    serve(channel, EngineLoop(config.engine, backend))


def warm_up(backend: Backend) -> None:
    """Touch every weight, so that the first request does not pay for it.

    One token does: the context has reserved the buffers of a full step. Behind it the first step of 128 tokens takes
    as long as the second, and a warm-up of 128 tokens would take a second of both cores.
    """
    slot = SlotId(0)
    backend.step(StepPlan((StepItem(slot, 0, (TokenId(0),)),)))
    backend.trim(slot, 0)


if __name__ == "__main__":
    run_child(main)
