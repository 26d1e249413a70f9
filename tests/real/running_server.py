"""The server under test: where it listens and how one waits for it."""

import time
from dataclasses import dataclass

import httpx
import pytest

START_S = 60.0


@dataclass(frozen=True)
class RunningServer:
    url: str
    pid: int

    @property
    def api(self) -> str:
        return f"{self.url}/v1"

    def wait_until_healthy(self) -> None:
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            try:
                if httpx.get(f"{self.url}/health", trust_env=False).json()["status"] == "ok":
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        pytest.fail("the server did not become healthy")
