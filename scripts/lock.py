"""Resolve pyproject.toml into the five lock files; `make lock` runs this.

Every line pins a version and the sha256 of all its files, for every platform and every Python from the oldest
supported one on. The files name no registry: pip takes what the user's pip is set up to use.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = "3.11"
COMPILE = ["uv", "pip", "compile", "--universal", "--python-version", PYTHON, "--generate-hashes", "--no-header"]
RULES = ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--fork-strategy", "fewest", "--quiet"]
FORBIDDEN = ("torch", "nvidia-", "triton")


def main() -> int:
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # the package itself is built where it is installed, without a network: its build tool is locked too
    build_tool = "\n".join(project["build-system"]["requires"])
    # the tools first: some of them hold a package back, and users get the versions that were tested
    compile_lock("requirements-dev.lock", ["pyproject.toml", "-", "--extra", "dev", *upgrade], build_tool)
    tested = ["--constraint", "requirements-dev.lock"]
    compile_lock("requirements.lock", ["pyproject.toml", "-", *tested, *upgrade], build_tool)
    moved = pins("requirements.lock") - pins("requirements-dev.lock")
    if moved:
        raise SystemExit(f"the development tools want other versions than users get: {sorted(moved)}")
    for extra in ("nano", "nano-plus", "voice"):
        data_wheels = "\n".join(project["project"]["optional-dependencies"][extra])
        compile_lock(f"requirements-{extra}.lock", ["-", "--no-deps", *upgrade], data_wheels)
    return 0


def pins(name: str) -> set[str]:
    """The lines `name==version ; marker` of a lock."""
    return {line.rstrip("\\ ") for line in (ROOT / name).read_text().splitlines() if not line.startswith(" ")}


def compile_lock(name: str, arguments: list[str], requirements: str) -> None:
    lock = ROOT / name
    command = [*COMPILE, *RULES, *arguments, "--output-file", name]
    subprocess.run(command, cwd=ROOT, input=requirements, text=True, check=True)
    for line in lock.read_text().splitlines():
        if line.startswith(FORBIDDEN):
            raise SystemExit(f"{name} would pull in {line.split('==')[0]}, which weighs gigabytes and is not needed")
        if "://" in line:
            raise SystemExit(f"{name} names a place to download from: {line}")


if __name__ == "__main__":
    sys.exit(main())
