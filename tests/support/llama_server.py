"""Unmodified llama.cpp's own server (embedded in xllamacpp) in a process of its own: requests in, answers out.

    answers = ask(gguf, mmproj, [{"prompt": [1, 2, 3], "n_predict": 8}, ...])

Each is a body of its POST /completion, with MARKER where a medium stands. An assert of its ends that process, not the
tests.
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_S = 120
MARKER = "<media>"  # the server draws its own anew at each start


def ask(gguf: Path, mmproj: Path | None, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    job = {"gguf": str(gguf), "mmproj": str(mmproj or ""), "requests": requests}
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(job), capture_output=True, text=True, timeout=TIMEOUT_S
    )
    if done.returncode != 0:
        raise AssertionError(f"llama.cpp's server ended with {done.returncode}:\n{done.stderr[-4000:]}")
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def main() -> None:
    import xllamacpp

    job = json.load(sys.stdin)
    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = job["gguf"], job["mmproj"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 2048, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup = False
    server = xllamacpp.Server(params)
    with urllib.request.urlopen(f"{server.listening_address}/props") as answer:
        marker = json.load(answer)["media_marker"]
    answers = []
    for body in job["requests"]:
        text = json.dumps({"temperature": 0, "cache_prompt": False, "return_tokens": True} | body)
        request = urllib.request.Request(
            f"{server.listening_address}/completion",
            text.replace(MARKER, marker).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            answers.append(json.load(answer))
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
