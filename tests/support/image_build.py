"""Takes the steps of a Dockerfile one by one, as an engine's builder does, in folders that a workshop provides."""

import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from string import Template
from typing import Protocol

from dockerfile import IgnoreList, Instruction, Stage

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what engines give where nothing is set


@dataclass(frozen=True)
class Surroundings:
    """What a command finds. user: `uid:gid`."""

    env: Mapping[str, str]
    workdir: PurePosixPath
    user: str


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine that a container has at `target`."""

    source: Path
    target: PurePosixPath
    is_read_only: bool = True


class Container(Protocol):
    """A command that runs in an image."""

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts."""

    @property
    def has_ended(self) -> bool: ...

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command beside the first, with further variables."""

    def stop(self, number: signal.Signals, timeout_s: float) -> int:
        """Its exit status."""

    def end(self) -> None:
        """Leave nothing of it, however it stands."""


class Workshop(Protocol):
    """Where roots are made and commands run in them."""

    keeps_owners: bool

    def new_folder(self) -> Path: ...

    def make_root(self, image: str) -> Path: ...

    def copy_root(self, root: Path) -> Path: ...

    def run(self, root: Path, surroundings: Surroundings, command: Sequence[str]) -> None:
        """Raises if the command fails."""

    def start(
        self, root: Path, surroundings: Surroundings, command: Sequence[str], mounts: Iterable[Mount]
    ) -> Container: ...


@dataclass
class Image:
    """A root, and how a container of it is started. Grows with each step."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    workdir: PurePosixPath = field(default_factory=lambda: PurePosixPath("/"))
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(dict(self.env), self.workdir, self.user)

    def place(self, path: str) -> Path:
        """Where a path of the image is outside of it."""
        return self.root / (self.workdir / path).relative_to("/")


class ImageBuild:
    def __init__(self, context: Path, ignored: IgnoreList, workshop: Workshop, build_args: Mapping[str, str]) -> None:
        self._context = context
        self._ignored = ignored
        self._workshop = workshop
        self._build_args = build_args
        self._sent = workshop.new_folder()
        self._images: dict[str, Image] = {}

    def build(self, stages: Sequence[Stage]) -> Image:
        """The image of the last stage. The context is read once, as it stands now."""
        for step in (step for stage in stages for step in stage.steps):
            if step.keyword == "COPY" and "from" not in step.flags:
                for source in step.text.split()[:-1]:
                    self._send(Path(source))
        for number, stage in enumerate(stages):
            image = self._begin(stage)
            args: dict[str, str] = {}
            for step in stage.steps:
                self._take(step, image, args)
            self._images[stage.name or str(number)] = image
        return image

    def _begin(self, stage: Stage) -> Image:
        before = self._images.get(stage.base)
        if before is None:
            return Image(self._workshop.make_root(stage.base))
        return Image(self._workshop.copy_root(before.root), dict(before.env), before.workdir, before.user)

    def _take(self, step: Instruction, image: Image, args: dict[str, str]) -> None:
        known = {**args, **image.env}
        match step.keyword:
            case "RUN":
                self._workshop.run(image.root, replace(image.surroundings, env=known), step.command)
            case "COPY":
                self._copy(step, image, known)
            case "ARG":
                name, has_default, default = step.text.partition("=")
                if name in self._build_args or has_default:
                    args[name] = self._build_args.get(name, _filled(default, known))
            case "ENV":
                image.env.update({name: _filled(value, known) for name, value in step.assignments.items()})
            case "WORKDIR":
                image.workdir /= _filled(step.text, known)
                image.place(".").mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = step.text
            case "ENTRYPOINT":
                image.entrypoint = step.command
            case "HEALTHCHECK":
                image.healthcheck = step.command
            case "STOPSIGNAL":
                image.stop_signal = step.text
            case "EXPOSE":
                pass  # says what is published, and changes nothing
            case _:
                raise ValueError(f"no way to take the step {step}")

    def _copy(self, step: Instruction, image: Image, known: Mapping[str, str]) -> None:
        *sources, target = _filled(step.text, known).split()
        stage = step.flags.get("from")
        origin = self._sent if stage is None else self._images[stage].root
        # Linked, for a copy takes longer to delete than to make; what is given to another user is copied.
        how = ["-a", "-T", "--remove-destination", *([] if "chown" in step.flags else ["-l"])]
        for source in sources:
            path = origin / source.lstrip("/")
            goes_into = target.endswith("/") and not path.is_dir()
            place = image.place(target) / path.name if goes_into else image.place(target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists() and place.samefile(path):  # as it is where a workshop has a single root
                continue
            subprocess.run(["cp", *how, path, place], check=True)
            if self._workshop.keeps_owners:
                subprocess.run(["chown", "-R", "-h", step.flags.get("chown", "0:0"), place], check=True)

    def _send(self, source: Path) -> None:
        """A file or folder of the context, less what is ignored; if nothing is left of it, that is an error."""
        num_files = 0
        for path in [self._context / source, *(self._context / source).rglob("*")]:
            name = path.relative_to(self._context)
            if path.is_file() and not self._ignored.leaves_out(PurePosixPath(name)):
                (self._sent / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self._sent / name)
                num_files += 1
        if not num_files:
            raise FileNotFoundError(f"{source} is not there, or .dockerignore leaves it out")


def _filled(text: str, known: Mapping[str, str]) -> str:
    return Template(text).substitute(known)
