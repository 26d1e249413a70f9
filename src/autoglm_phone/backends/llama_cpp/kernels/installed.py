"""Which kernels have been built here, for which CPU, and for which decoders they have been tried."""

import hashlib
import math
import platform
import shutil
from pathlib import Path

import msgspec

from autoglm_phone.backends.llama_cpp.kernels import patch
from autoglm_phone.backends.llama_cpp.kernels.cpuinfo import CPUINFO, first_core, instruction_sets
from autoglm_phone.backends.llama_cpp.release import VERSION
from autoglm_phone.core.ids import Digest
from autoglm_phone.weights.verified import hash_file, replace_file

PLUGIN, RECORD = "libggml-cpu.so", "kernels.json"


class Speed(msgspec.Struct, frozen=True):
    """Tokens a second: of a prompt in one step, of a chunk behind a long one, of one stream, of eight together."""

    prefill: float
    prefill_behind: float
    decode_1: float
    decode_8: float


class Tried(msgspec.Struct, frozen=True):
    """One decoder on the wheel's kernels and on these, measured right after each other."""

    wheel: Speed
    native: Speed

    @property
    def is_faster(self) -> bool:
        """In the mean of the four ratios."""
        ratios = (
            self.native.prefill / self.wheel.prefill,
            self.native.prefill_behind / self.wheel.prefill_behind,
            self.native.decode_1 / self.wheel.decode_1,
            self.native.decode_8 / self.wheel.decode_8,
        )
        return math.prod(ratios) > 1.0


class Record(msgspec.Struct, frozen=True):
    """Beside the plugin. tried: by the digest of a decoder's file, those whose logits agreed."""

    cpu: str
    plugin_sha256: str
    tried: dict[str, Tried] = {}


class NativeKernels:
    """The builds under `home`, one folder for each CPU, release and state of our own sources."""

    def __init__(self, home: Path, cpuinfo: Path = CPUINFO) -> None:
        self.cpu, features = _describe_cpu(cpuinfo)
        self.folder = home / "kernels" / f"{VERSION}-{_digest_of(self.cpu, features)}"
        self.plugin = self.folder / PLUGIN

    def record(self) -> Record | None:
        """None if nothing has been built, or what is there is not what was built."""
        try:
            record = msgspec.json.decode((self.folder / RECORD).read_bytes(), type=Record)
            return record if hash_file(self.plugin) == record.plugin_sha256 else None
        except (OSError, msgspec.MsgspecError):
            return None

    def plugin_for(self, decoder: Digest) -> Path | None:
        """The plugin, if it has been tried with this decoder and is faster there."""
        record = self.record()
        tried = record.tried.get(decoder) if record is not None else None
        return self.plugin if tried is not None and tried.is_faster else None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, record: Record) -> None:
        replace_file(self.folder / RECORD, msgspec.json.encode(record))


def _describe_cpu(cpuinfo: Path) -> tuple[str, str]:
    """Its model, and its instruction sets: a virtual machine may hide some of them tomorrow."""
    core = first_core(cpuinfo)
    model = core.get("model name") or core.get("CPU part") or platform.processor() or platform.machine()
    return model, " ".join(sorted(instruction_sets(core)))


def _digest_of(cpu: str, features: str) -> str:
    """Changes with the CPU and with everything of ours that decides what the plugin is."""
    here = Path(__file__).parent
    sources = (*patch.OURS, "patch.py", "build.py")
    parts = [cpu, features, *((here / name).read_text(encoding="utf-8") for name in sources)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
