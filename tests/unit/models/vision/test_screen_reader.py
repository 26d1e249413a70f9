import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

from autoglm_phone.core.errors import MissingDependency
from autoglm_phone.models.vision.screen_reader import ScreenReader, module_files


def test_the_models_lie_in_the_installed_package() -> None:
    files = module_files()
    assert [file.suffix for file in files] == [".onnx", ".onnx"]
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize("is_installed", [True, False])
def test_missing_models_are_said_and_never_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_installed: bool
) -> None:
    empty = importlib.machinery.ModuleSpec("rapidocr", None, is_package=True)
    empty.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: empty if is_installed else None)
    with pytest.raises(MissingDependency, match=r"pip install 'rapidocr"):
        ScreenReader()
    assert list(tmp_path.iterdir()) == []
