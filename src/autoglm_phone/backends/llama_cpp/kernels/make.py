"""Makes kernels and tries them: what `autoglm-phone kernels build` does, and no server needs."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from autoglm_phone.backends.llama_cpp.kernels.build import compile_plugin
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels, Record, Tried
from autoglm_phone.backends.llama_cpp.kernels.sources import prepare
from autoglm_phone.backends.llama_cpp.kernels.trial import differences, run_trial
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.ids import Digest
from autoglm_phone.weights.verified import hash_file


def build(kernels: NativeKernels, archive: Path | None = None) -> None:
    """Compile the plugin. It appears when it is whole, and with no decoder tried. Raises SetupError."""
    kernels.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kernels.folder, prefix="build-") as name:
        work = Path(name)
        plugin = compile_plugin(prepare(work, archive), work / "out")
        digest = hash_file(plugin)
        plugin.replace(kernels.plugin)
    kernels.write(Record(kernels.cpu, digest))


def try_with(kernels: NativeKernels, gguf: Path, decoder: Digest, threads: int, say: Callable[[str], None]) -> Tried:
    """Compare with the wheel's kernels on a real decoder. Raises SetupError, and forgets it, if logits disagree."""
    record = kernels.record()
    if record is None:
        raise SetupError("no kernels are built for this CPU yet")
    others = {digest: one for digest, one in record.tried.items() if digest != decoder}
    with tempfile.TemporaryDirectory(dir=kernels.folder, prefix="trial-") as name:
        say("Trying the decoder on the wheel's kernels")
        wheel = run_trial(gguf, threads, Path(name), None)
        say("Trying it on these")
        try:
            native = run_trial(gguf, threads, Path(name), kernels.plugin)
            if problem := differences(wheel.logits, native.logits):
                raise SetupError(f"these kernels are not used: {problem}")
        except SetupError:
            kernels.write(Record(record.cpu, record.plugin_sha256, others))
            raise
    tried = Tried(wheel.speed, native.speed)
    kernels.write(Record(record.cpu, record.plugin_sha256, {**others, decoder: tried}))
    return tried
