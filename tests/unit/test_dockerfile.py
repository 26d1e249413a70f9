"""How tests read a Dockerfile, and what ours promises without being built."""

from pathlib import Path, PurePosixPath

import pytest
from dockerfile import IgnoreList, Instruction, parse

from autoglm_phone.settings import load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_lines_are_joined_comments_dropped_and_flags_taken_off() -> None:
    (stage,) = parse("# a file\nFROM debian:x AS a\nRUN one \\\n# between\n    && two\nCOPY --from=b --chown=1:1 c d\n")
    assert (stage.name, stage.base) == ("a", "debian:x")
    run, copy = stage.steps
    assert run.command == ("/bin/sh", "-c", "one     && two")
    assert copy == Instruction("COPY", {"from": "b", "chown": "1:1"}, "c d")


def test_commands_are_lists_or_lines_of_the_shell() -> None:
    (stage,) = parse('FROM x\nENTRYPOINT ["/a", "b c"]\nHEALTHCHECK --timeout=5s CMD ["d"]\nENV A=1 B="2 3"')
    entry, health, env = stage.steps
    assert entry.command == ("/a", "b c")
    assert health.command == ("d",)
    assert env.assignments == {"A": "1", "B": "2 3"}


@pytest.mark.parametrize(
    "line", ["VOLUME /a", "RUN --mount=type=cache,target=/a b", "COPY --link a b", "RUN <<EOF", "run a", "ADD a b"]
)
def test_steps_that_nobody_would_take_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="known"):
        parse(f"FROM x\n{line}")


@pytest.mark.parametrize(
    ("path", "is_sent"),
    [
        ("a.txt", False),
        ("src/a.py", True),
        ("src/b/c.py", True),
        ("src/b/__pycache__/c.pyc", False),
        ("src/x.egg-info/PKG-INFO", False),
        ("scripts/setup.sh", True),
        ("scripts/lock.py", False),
        ("srcs/a.py", False),
    ],
)
def test_the_last_pattern_that_matches_decides(path: str, is_sent: bool) -> None:
    ignored = IgnoreList("# all\n*\n!src\n!scripts/setup.sh\n**/__pycache__\n**/*.egg-info\n")
    assert ignored.leaves_out(PurePosixPath(path)) is not is_sent


def test_only_what_the_image_is_made_of_is_sent() -> None:
    ignored = IgnoreList((ROOT / ".dockerignore").read_text(encoding="utf-8"))
    sources = {
        source
        for stage in parse(TEXT)
        for step in stage.steps
        if step.keyword == "COPY" and "from" not in step.flags
        for source in step.text.split()[:-1]
    }
    assert not [source for source in sources if ignored.leaves_out(PurePosixPath(source))]
    sent = {path.name for path in ROOT.iterdir() if not ignored.leaves_out(PurePosixPath(path.name))}
    assert sent == {source.split("/")[0] for source in sources} - {"scripts"}


def test_the_image_is_laid_out_as_the_article_has_it() -> None:
    last = parse(TEXT)[-1]
    assert last.texts("USER") == ["10001:10001"]
    assert last.texts("EXPOSE") == ["8000"]
    assert last.texts("ENTRYPOINT") == ['["/usr/local/bin/run_autoglm_server.sh"]']
    assert last.texts("HEALTHCHECK")
    (env,) = (step.assignments for step in last.steps if step.keyword == "ENV")
    assert env["AUTOGLM_HOME"] == "/app/model"
    settings = load_settings({}, env)
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)


def test_the_final_stage_installs_nothing_that_only_building_needs() -> None:
    last = parse(TEXT)[-1]
    base = next(stage for stage in parse(TEXT) if stage.name == last.base)
    installed = " ".join(base.texts("RUN") + last.texts("RUN"))
    assert "venv" not in installed
    assert "pip" not in installed
    assert "setup.sh" not in installed


def test_no_registry_is_named() -> None:
    assert TEXT.count("://") == TEXT.count("http://127.0.0.1")
