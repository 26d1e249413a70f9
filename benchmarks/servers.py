"""The two servers that are compared, each as a process of its own on a free port of the loopback interface."""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

PEER = "llama-server"
OURS = "autoglm-phone"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, end it and what it started. Its output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def our_command(port: int, model: str, *extra: str) -> list[str]:
    return [sys.executable, "-m", "autoglm_phone.cli.main", "serve", "--port", str(port), "--model", model, *extra]


def peer_command(port: int, gguf: Path, threads: int) -> list[str]:
    return [sys.executable, __file__, "--port", str(port), "--gguf", str(gguf), "--threads", str(threads)]


def resident_bytes(pid: int) -> int:
    """RSS of a process and all its descendants, shared pages counted in each."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text()
            parent = int(text.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    total, todo = 0, [pid]
    while todo:
        current = todo.pop()
        todo += children.get(current, [])
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{current}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def serve_peer() -> None:
    """llama.cpp's own server, embedded in xllamacpp: same release, same kernels, so only the scheduling differs."""
    import xllamacpp

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = arguments.gguf
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_parallel = 8
    params.n_ctx = 16_384
    params.kv_unified = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads
    params.n_gpu_layers = 0
    server = xllamacpp.Server(params)
    print("peer listens on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve_peer()
