"""A workshop of bare Debian roots: debootstrap's instead of the base image, chroot and namespaces instead of an engine.

Mounts and processes live in namespaces that end with the command, so that nothing is left however a test ends.
"""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import host_network
from image_build import Container, Mount, Surroundings
from private_folder import PrivateFolder

MORTAL = ("setpriv", "--pdeathsig=KILL")  # dies with us, however we end
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
# None of root's powers and no way to get them back: `cap_drop: ALL` and `no-new-privileges` of compose.yaml. A change
# of user takes the wish to die with the parent away; it is said again.
POWERLESS = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=KILL")
CERTIFICATES_INSIDE = "/run/host-certificates.crt"
APT_CONF_INSIDE = "/etc/apt/apt.conf.d/99host"
TMPFS = "mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs"  # as engines mount it: nothing in it can be executed


def what_is_lacking() -> str:
    """Why roots cannot be made here; empty if they can."""
    if os.geteuid() != 0:
        return "chroot needs root"
    if missing := [tool for tool in ("debootstrap", "dpkg", "apt-config") if shutil.which(tool) is None]:
        return f"not installed: {', '.join(missing)}"
    if subprocess.run([*MORTAL, *NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode != 0:
        return "namespaces with mounts of their own cannot be made here"
    return ""


class DebianRoots:
    """folder: holds the roots. cache: keeps the bare system of each release."""

    keeps_owners = True

    def __init__(self, folder: PrivateFolder, cache: Path) -> None:
        self._folder = folder
        self._cache = cache
        apt_conf = folder.path / "apt.conf"
        apt_conf.write_text(host_network.apt_settings(), encoding="utf-8")
        ways_out = {
            Path("/etc/resolv.conf"): "/etc/resolv.conf",
            Path("/etc/hosts"): "/etc/hosts",
            apt_conf: APT_CONF_INSIDE,
            host_network.CERTIFICATES: CERTIFICATES_INSIDE,
        }
        self._network_mounts = [
            Mount(file, PurePosixPath(inside)) for file, inside in ways_out.items() if file.exists()
        ]
        self._network_variables = host_network.variables(CERTIFICATES_INSIDE)

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder.path))

    def make_root(self, image: str) -> Path:
        name, _, tag = image.partition(":")
        if name != "debian":
            raise ValueError(f"only Debian can be made here, not {image}")
        return self._copied(self._bare_system(tag.removesuffix("-slim")))

    def copy_root(self, root: Path) -> Path:
        """With links for files: the steps of our stages replace files and write into none."""
        return self._copied(root, "-l")

    def run(self, root: Path, surroundings: Surroundings, command: Sequence[str]) -> None:
        """A step of the build, with the way to the registries that this machine has."""
        equipped = replace(surroundings, env={**self._network_variables, **surroundings.env})
        _do(self._in_namespaces(self._mounting(root, ()), root, equipped, command), _environment(root, equipped))

    def start(
        self, root: Path, surroundings: Surroundings, command: Sequence[str], mounts: Iterable[Mount]
    ) -> Container:
        """As compose.yaml has it: no powers, and nothing writable but /tmp and what is mounted so.

        It has the network of this machine, and the names that its registries are found by.
        """
        here = self._quoted(root)
        hardening = [f"{TMPFS} {here}/tmp", f"mount -o remount,bind,ro {here}"]
        lines = [*self._mounting(root, mounts), *hardening]
        words = self._in_namespaces(lines, root, surroundings, command)
        process = subprocess.Popen(words, env=_environment(root, surroundings), start_new_session=True)
        return _Inside(process, root, surroundings)

    def registry_variables(self) -> Mapping[str, str]:
        """What a container has to be given where it is to fetch packages."""
        return self._network_variables

    def _in_namespaces(
        self, lines: Sequence[str], root: Path, surroundings: Surroundings, command: Sequence[str]
    ) -> list[str]:
        """The words of a command that takes the lines of shell in new namespaces and then becomes `command`."""
        inside = ["chroot", str(self._folder.seen_inside(root)), *_as_user(surroundings, command)]
        script = "\n".join([*lines, f"exec {shlex.join(inside)}"])
        return [*MORTAL, *self._folder.entering, *NAMESPACES, "sh", "-ec", script]

    def _mounting(self, root: Path, mounts: Iterable[Mount]) -> list[str]:
        here = self._quoted(root)
        lines = [
            f"mount --bind {here} {here}",
            f"mount -t proc proc {here}/proc",
            f"{TMPFS} {here}/dev/shm",
        ]
        for mount in (*self._network_mounts, *mounts):
            source, target = self._quoted(mount.source), f"{here}{shlex.quote(str(mount.target))}"
            lines.append(f"mkdir -p {target}" if mount.source.is_dir() else f"touch {target}")
            lines.append(f"mount --bind {source} {target}")
            if mount.is_read_only:
                lines.append(f"mount -o remount,bind,ro {target}")
        return lines

    def _quoted(self, path: Path) -> str:
        return shlex.quote(str(self._folder.seen_inside(path)))

    def _copied(self, root: Path, *options: str) -> Path:
        copy = self.new_folder() / "root"
        subprocess.run(["cp", "-a", *options, root, copy], check=True)
        return copy

    def _bare_system(self, release: str) -> Path:
        """What debian:RELEASE-slim holds and a little more: debootstrap's smallest variant."""
        asked = ["dpkg", "--print-architecture"]
        architecture = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        kept = self._cache / f"debian-{release}-{architecture}"
        if not kept.is_dir():
            self._cache.mkdir(parents=True, exist_ok=True)
            mirror = host_network.debian_mirror()
            with tempfile.TemporaryDirectory(prefix="draft-", dir=self._cache) as draft:
                root = Path(draft) / "root"
                words = ["debootstrap", "--variant=minbase", release, str(root), *([mirror] if mirror else [])]
                _do(words, os.environ)
                root.rename(kept)
        return kept


class _Inside:
    """Its first process is the only child of the one that made the namespaces."""

    def __init__(self, process: "subprocess.Popen[bytes]", root: Path, surroundings: Surroundings) -> None:
        self._process = process
        self._root = root
        self._surroundings = surroundings

    @property
    def pid(self) -> int:
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def execute(self, command: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """In the same namespaces, as the same user: `docker exec`."""
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", *_as_user(self._surroundings, command)],
            env={**_environment(self._root, self._surroundings), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def stop(self, number: signal.Signals, timeout_s: float) -> int:
        os.kill(self.pid, number)
        return self._process.wait(timeout_s)

    def end(self) -> None:
        """The namespaces go with the process that made them, and everything in them."""
        self._process.kill()
        self._process.wait()


def _do(words: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[-1]}\nended with {done.returncode} and said\n{done.stdout[-4000:]}{done.stderr}")


def _environment(root: Path, surroundings: Surroundings) -> Mapping[str, str]:
    return {"HOME": _home_of(root, surroundings.user), **surroundings.env}


def _home_of(root: Path, user: str) -> str:
    """As the root's passwd has it: engines set HOME from it."""
    uid = user.partition(":")[0]
    for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if fields[2] == uid:
            return fields[5]
    return "/"


def _as_user(surroundings: Surroundings, command: Sequence[str]) -> list[str]:
    words = ["/usr/bin/env", f"--chdir={surroundings.workdir}"]
    uid, _, gid = surroundings.user.partition(":")
    if uid != "0":
        words += ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={gid}", *POWERLESS]
    return [*words, *command]
