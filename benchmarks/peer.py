"""llama.cpp's own server as a process: embedded in xllamacpp, so same release and same kernels as ours.

Settings are those of ours where both have them (threads, 8 at once, 16,384 tokens of KV shared by all) and
llama-server's defaults elsewhere: prompt cache in memory, continuous batching, batches of 2,048 and 512 tokens.
"""

import argparse
import threading
from pathlib import Path

SLOTS, KV_TOKENS = 8, 16_384
IMAGE_MAX_TOKENS = 480  # 1080x2400 becomes 448x1024: about as many tokens as the words on such a screen


def embedded_arguments(port: int, gguf: Path, mmproj: Path | None, threads: int) -> list[str]:
    arguments = ["--port", str(port), "--gguf", str(gguf), "--threads", str(threads)]
    return arguments if mmproj is None else [*arguments, "--mmproj", str(mmproj)]


def program_arguments(port: int, gguf: Path, mmproj: Path | None, threads: int) -> list[str]:
    """The same for a llama-server program."""
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--model", str(gguf), "--parallel", str(SLOTS)]
    arguments += ["--ctx-size", str(KV_TOKENS), "--kv-unified", "--threads", str(threads)]
    arguments += ["--threads-batch", str(threads), "--device", "none", "--offline"]
    if mmproj is not None:
        arguments += ["--mmproj", str(mmproj), "--no-mmproj-offload", "--image-max-tokens", str(IMAGE_MAX_TOKENS)]
    return arguments


def main() -> None:
    import xllamacpp

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--mmproj", default="")
    arguments = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = arguments.gguf
    params.mmproj.path = arguments.mmproj
    params.image_max_tokens = IMAGE_MAX_TOKENS
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_parallel = SLOTS
    params.n_ctx = KV_TOKENS
    params.kv_unified = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads
    params.n_gpu_layers = 0
    server = xllamacpp.Server(params)
    print("peer listens on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
