"""An engine process over the fake backend: `python -m fake_engine_process`; the config is the EngineConfig as JSON."""

import time

import msgspec

from autoglm_phone.backends.fake.backend import FakeBackend, choose_by_hash
from autoglm_phone.core.backend import StepPlan, StepResult
from autoglm_phone.core.errors import StepFailed
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import EngineLoop
from autoglm_phone.engine.messages import EngineFacts, encode
from autoglm_phone.engine.worker import serve
from autoglm_phone.ipc.child import ChildSocket, run_child

POISON = 4242  # a step that is fed this token fails


class SlowFakeBackend(FakeBackend):
    """Takes a millisecond a step, so that a test can come in between."""

    def step(self, plan: StepPlan) -> StepResult:
        time.sleep(0.001)
        if any(POISON in item.tokens for item in plan.items):
            raise StepFailed("poison")
        return super().step(plan)


def main(channel: ChildSocket, config_json: bytes) -> None:
    config = msgspec.json.decode(config_json, type=EngineConfig)
    backend = SlowFakeBackend(choose_by_hash(100), num_slots=config.max_slots, kv_tokens=config.kv_tokens)
    channel.send(encode(EngineFacts(0, config.max_model_len, "none")))
    channel.send_ready()
    serve(channel, EngineLoop(config, backend))


if __name__ == "__main__":
    run_child(main)
