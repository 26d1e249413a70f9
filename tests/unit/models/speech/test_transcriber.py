from pathlib import Path

import pytest

from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.speech.transcriber import Transcriber


def test_an_incomplete_folder_is_refused_and_nothing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"model\.bin, tokenizer\.json, vocabulary\.txt missing"):
        Transcriber(tmp_path)
