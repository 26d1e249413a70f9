"""Where the real parts are. Tests that need one skip with a reason where it is absent."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nano_gguf() -> Path:
    path = os.environ.get("AUTOGLM_TEST_NANO")
    if path is None:
        pytest.skip("AUTOGLM_TEST_NANO does not name a GGUF")
    return Path(path)
