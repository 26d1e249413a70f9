"""ggml's sources of the pinned release: out of its source distribution, which pip fetches and we check."""

import subprocess
import sys
import tarfile
from pathlib import Path

from autoglm_phone.backends.llama_cpp.kernels import patch
from autoglm_phone.backends.llama_cpp.release import ARCHIVE, ARCHIVE_SHA256, PACKAGE, VERSION
from autoglm_phone.core.errors import SetupError
from autoglm_phone.weights.verified import hash_file

GGML = f"{PACKAGE}-{VERSION}/thirdparty/llama.cpp/ggml/"
FETCH_TIMEOUT_S = 600


def prepare(folder: Path, archive: Path | None = None) -> Path:
    """ggml with our products in it, under `folder`. archive: a copy that is here already, else pip fetches it."""
    archive = archive or _fetch(folder)
    if (digest := hash_file(archive)) != ARCHIVE_SHA256:
        raise SetupError(f"{archive} has the sha256 {digest}, not {ARCHIVE_SHA256}: it is another release or damaged")
    ggml = folder / "ggml"
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name.startswith(GGML):
                member.name = member.name.removeprefix(GGML)
                tar.extract(member, ggml, filter="data")
    (ggml / "ggml.pc.in").touch()  # its CMakeLists wants to fill it in, and the archive lacks it
    here = Path(__file__).parent
    for name in patch.OURS:
        (ggml / "src" / "ggml-cpu" / name).write_bytes((here / name).read_bytes())
    patch.apply(ggml)
    return ggml


def _fetch(folder: Path) -> Path:
    # pip asks the archive for its metadata, in an environment of its own; nothing is installed.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--no-deps", "--no-binary", PACKAGE, "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    result = subprocess.run(  # noqa: S603 - our own interpreter, pip, and a name of ours
        command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
    )
    archive = folder / ARCHIVE
    if result.returncode != 0 or not archive.is_file():
        raise SetupError(f"pip cannot fetch {ARCHIVE}, which holds llama.cpp's sources:\n{result.stderr[-2000:]}")
    return archive
