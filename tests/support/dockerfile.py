"""A Dockerfile and its .dockerignore as values: stages of instructions, and which files of a folder are sent along.

Understands what ours use and refuses the rest, so that no step escapes the tests.
Source: docs.docker.com/reference/dockerfile, docs.docker.com/build/concepts/context.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

HEALTHCHECK_FLAGS = ("interval", "timeout", "start-period", "retries")
INSTRUCTIONS = frozenset(
    ("ARG", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER", "WORKDIR")
)
FLAGS = frozenset({("COPY", "from"), ("COPY", "chown"), *(("HEALTHCHECK", flag) for flag in HEALTHCHECK_FLAGS)})


@dataclass(frozen=True)
class Instruction:
    """One step. text: what follows the keyword and its flags, with continued lines joined."""

    keyword: str
    flags: Mapping[str, str]
    text: str

    @property
    def command(self) -> tuple[str, ...]:
        """The words that are executed: of a JSON list, or of the shell that reads the text."""
        text = self.text.removeprefix("CMD ").strip() if self.keyword == "HEALTHCHECK" else self.text
        if text.startswith("["):
            return tuple(json.loads(text))
        return ("/bin/sh", "-c", text)

    @property
    def assignments(self) -> dict[str, str]:
        """Of ENV."""
        return dict(word.split("=", 1) for word in shlex.split(self.text))

    def __str__(self) -> str:
        return f"{self.keyword} {self.text}"


@dataclass(frozen=True)
class Stage:
    """base: an image or the name of an earlier stage. name: empty if it has none."""

    name: str
    base: str
    steps: tuple[Instruction, ...]

    def texts(self, keyword: str) -> list[str]:
        return [step.text for step in self.steps if step.keyword == keyword]


def parse(text: str) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for line in _logical_lines(text):
        instruction = _instruction(line)
        if instruction.keyword == "FROM":
            base, *rest = instruction.text.split()
            stages.append(Stage(rest[1] if rest else "", base, ()))
        elif not stages:
            raise ValueError(f"before the first FROM: {line}")
        else:
            stage = stages.pop()
            stages.append(Stage(stage.name, stage.base, (*stage.steps, instruction)))
    return tuple(stages)


def _logical_lines(text: str) -> list[str]:
    """Comments are dropped, also between continued lines; a backslash at the end joins."""
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [line.strip() for line in "\n".join(kept).replace("\\\n", "").splitlines()]


def _instruction(line: str) -> Instruction:
    keyword, _, text = line.partition(" ")
    if keyword not in INSTRUCTIONS:
        raise ValueError(f"{keyword} is not known here: {line}")
    flags: dict[str, str] = {}
    text = text.strip()
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", text):
        flags[match[1]] = match[2]
        text = text[match.end() :]
    if text.startswith("--") or "<<" in text or not {(keyword, flag) for flag in flags} <= FLAGS:
        raise ValueError(f"not known here: {line}")
    return Instruction(keyword, flags, text)


class IgnoreList:
    """.dockerignore: the last pattern that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._patterns = [
            (_regex(line.removeprefix("!")), not line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def leaves_out(self, path: PurePosixPath) -> bool:
        verdict = False
        for pattern, is_ignored in self._patterns:
            if pattern.fullmatch(path.as_posix()):
                verdict = is_ignored
        return verdict


def _regex(pattern: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")
