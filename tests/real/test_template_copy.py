"""The real decoder's own template is the one that the tests of tool prompts hold ours against."""

from pathlib import Path

import pytest

from autoglm_phone.weights.gguf_file import read_metadata

pytestmark = pytest.mark.real

COPY = Path(__file__).parents[1] / "unit" / "text" / "qwen2.5.jinja"


def test_the_copy_of_the_template_is_the_files_own(nano_gguf: Path) -> None:
    assert read_metadata(nano_gguf)["tokenizer.chat_template"] == COPY.read_text()
