"""A workshop without roots, for machines where none can be made: paths of the image lie below one folder.

Steps that install packages of the system or make users are left out; what needs them has to be on this machine.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from image_build import Container, Mount, Surroundings

IMAGE_PATHS = re.compile(r"(?<![\w.:/-])(?=/(?:app|usr/local/bin)\b)")
SYSTEM_STEPS = re.compile(r"\b(apt-get|useradd)\b")


class PlainFolder:
    keeps_owners = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def make_root(self, image: str) -> Path:
        return self.new_folder()

    def copy_root(self, root: Path) -> Path:
        """The same again: an environment works only where it was made."""
        return root

    def run(self, root: Path, surroundings: Surroundings, command: Sequence[str]) -> None:
        if SYSTEM_STEPS.search(command[-1]):
            return
        if "/usr/local/bin" in command[-1]:
            (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [_here(root, word) for word in command],
            env={**_with_pip(os.environ), **_environment(root, surroundings)},
            cwd=root / surroundings.workdir.relative_to("/"),
            check=True,
        )

    def start(
        self, root: Path, surroundings: Surroundings, command: Sequence[str], mounts: Iterable[Mount]
    ) -> Container:
        """A link stands for a mount. The folder that it covers is put aside."""
        for mount in mounts:
            place = root / mount.target.relative_to("/")
            if place.is_symlink():
                place.unlink()
            elif place.exists():
                place.rmdir()
            place.symlink_to(mount.source)
        process = subprocess.Popen(
            [_here(root, word) for word in command],
            env=_environment(root, surroundings),
            cwd=root / surroundings.workdir.relative_to("/"),
            start_new_session=True,
        )
        return _Beside(process, root, surroundings)

    def registry_variables(self) -> Mapping[str, str]:
        return _with_pip(os.environ)


class _Beside:
    def __init__(self, process: "subprocess.Popen[bytes]", root: Path, surroundings: Surroundings) -> None:
        self._process = process
        self._root = root
        self._surroundings = surroundings

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [_here(self._root, word) for word in command],
            env={**_environment(self._root, self._surroundings), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def stop(self, number: signal.Signals, timeout_s: float) -> int:
        self._process.send_signal(number)
        return self._process.wait(timeout_s)

    def end(self) -> None:
        self._process.kill()  # its workers die with it
        self._process.wait()


def _here(root: Path, text: str) -> str:
    return IMAGE_PATHS.sub(str(root), text)


def _with_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """This machine's own way to its registries; nothing of a virtual environment that this may run in."""
    wanted = ("HOME", "PIP_", "SSL_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {name: value for name, value in environ.items() if name.startswith(wanted)}


def _environment(root: Path, surroundings: Surroundings) -> dict[str, str]:
    env = {name: _here(root, value) for name, value in surroundings.env.items()}
    return {**env, "PATH": f"{env['PATH']}:{os.environ['PATH']}"}
