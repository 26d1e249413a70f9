"""The notebook as a user runs it, from top to bottom, in a kernel of its own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from running_server import RunningServer

PATH = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"
CELL_TIMEOUT_S = 240

pytestmark = pytest.mark.real


def notebook() -> nbformat.NotebookNode:
    read: nbformat.NotebookNode = nbformat.read(PATH, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    return read


@pytest.fixture(scope="module")
def executed(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """The cells with their outputs; a cell that fails raises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGLM_BASE_URL", server.api)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        book = notebook()
        resources = {"metadata": {"path": str(PATH.parent)}}
        NotebookClient(book, timeout=CELL_TIMEOUT_S, resources=resources).execute()
        yield book["cells"]


def outputs(cells: list[dict[str, Any]], heading: str) -> list[dict[str, Any]]:
    """What the first program below a heading gave."""
    start = next(i for i, cell in enumerate(cells) if cell["source"].startswith(f"## {heading}"))
    code = next(cell for cell in cells[start:] if cell["cell_type"] == "code")
    given: list[dict[str, Any]] = code["outputs"]
    return given


def printed(cells: list[dict[str, Any]], heading: str) -> str:
    return "".join(output["text"] for output in outputs(cells, heading) if output["output_type"] == "stream")


def test_it_is_kept_without_outputs() -> None:
    code = [cell for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


def test_nothing_goes_to_stderr(executed: list[dict[str, Any]]) -> None:
    names = [output.get("name") for cell in executed for output in cell.get("outputs", [])]
    assert "stderr" not in names


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Text", "AutoGLM"),
        ("Stream", r"\w+"),
        ("Picture", r"tokens of the picture: [1-9]"),
        ("Sound", "(?i)settings"),
        ("Reasoning", r"thought: \w[\s\S]*answer: .*51"),
        ("Memory estimate", r"4\.61 GiB[\s\S]*text +takes 0\.[1-9][\s\S]*q4_k: estimated 0\."),
    ],
)
def test_a_section_prints_what_it_promises(executed: list[dict[str, Any]], heading: str, words: str) -> None:
    assert re.search(words, printed(executed, heading))


@pytest.mark.parametrize("heading", ["Picture", "Token latencies"])
def test_a_picture_is_shown(executed: list[dict[str, Any]], heading: str) -> None:
    assert any("image/png" in output.get("data", {}) for output in outputs(executed, heading))
