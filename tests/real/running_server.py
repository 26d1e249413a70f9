"""The server under test: where it listens and how one waits for it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def served(*flags: str) -> Iterator[RunningServer]:
    """The real command as a user starts it, on a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "autoglm_phone.cli.main", "serve", "--port", str(port), *flags]
    process = subprocess.Popen(command, start_new_session=True)
    running = RunningServer(f"http://127.0.0.1:{port}", process.pid)
    try:
        running.wait_until_healthy()
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
