"""One way to encode pictures, in a process of its own: a line of JSON in asks for a picture, a line out answers.

    python -m benchmarks.encoder_side --way "8 bits" --mmproj mmproj-q8_0.gguf --work DIR --threads 2

In: {"rows": 20, "columns": 24, "out": "file.npy"}, tokens of a picture whose pixels follow from its size. Out, first
once when it is loaded: {"seconds": ...}. Embeddings go to `out`, where the way gives them.
"""

import argparse
import base64
import io
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.convert.gguf_writer import Filled, write_gguf
from autoglm_phone.convert.metadata import Origin, text_metadata
from autoglm_phone.convert.mix import planned_text
from autoglm_phone.convert.synth import CHUNK_BYTES, SHAPES
from autoglm_phone.convert.text_map import text_rules
from autoglm_phone.convert.vocabulary import made_up_vocabulary
from autoglm_phone.models.vision.config import from_files, from_gguf
from autoglm_phone.models.vision.grid import PatchGrid, PixelBudget, fit
from autoglm_phone.models.vision.preprocess import to_patches
from autoglm_phone.models.vision.weight_map import map_of_files
from autoglm_phone.text.known_templates import GLM4
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.gguf_tensors import GgufTensors, read_tensors
from autoglm_phone.weights.progress import silent
from autoglm_phone.weights.tensor_map import GgufFloats

Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], "NDArray[np.float32] | None"]

TOKEN_SIDE, MAX_TOKENS = 28, 480
WAYS = ("8 bits", "float32", "bfloat16", "mtmd", "ONNX Runtime float32", "ONNX Runtime 8 bits")
PICTURES = {"480 tokens": (20, 24), "64 tokens": (8, 8)}
# A decoder with the true width and hardly anything in it, for llama.cpp's server to stand on.
THIN = replace(SHAPES["9b"].text, num_layers=1, num_heads=1, num_kv_heads=1, d_ff=256)


def picture(rows: int, columns: int) -> Pixels:
    """Of a size that no way resizes."""
    random = np.random.default_rng(rows * columns)
    return random.integers(0, 256, (TOKEN_SIDE * rows, TOKEN_SIDE * columns, 3), np.uint8)


def in_torch(way: str, mmproj: Path, threads: int) -> tuple[Encode, Callable[[], float]]:
    """The second gives the seconds in which all weights are unpacked once."""
    import torch

    from autoglm_phone.models.vision.encoder import VisionEncoder
    from autoglm_phone.ops.packed_linear import PackedLinear

    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if way == "bfloat16" else torch.float32
    budget = PixelBudget.of_tokens(MAX_TOKENS, TOKEN_SIDE)
    files = open_encoder([mmproj])
    if way == "8 bits":
        encoder = VisionEncoder.of_files(files, budget=budget)
    else:
        config = from_files(files)
        names = map_of_files(files, config.num_layers)
        encoder = VisionEncoder(config, files.tensors, names, budget=budget, dtype=dtype)

    def unpack_s() -> float:
        start_s = time.perf_counter()
        with torch.inference_mode():
            for layer in encoder._network.modules():
                if isinstance(layer, PackedLinear):
                    for _ in layer.unpacked(dtype):
                        pass
        return time.perf_counter() - start_s

    return encoder.encode, unpack_s


def in_onnxruntime(way: str, mmproj: Path, work: Path, threads: int) -> Encode:
    import onnxruntime  # type: ignore[import-untyped]  # ships no types

    graph = graph_of(way, work)
    if not graph.exists():
        raise SystemExit(f"{graph.name} is not there; --prepare makes it")
    file = read_tensors(mmproj)
    config = from_gguf(file.metadata, lambda name: file.entries[name].shape)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    budget = PixelBudget.of_tokens(MAX_TOKENS, TOKEN_SIDE)

    def encode(pixels: Pixels) -> NDArray[np.float32]:
        grid = fit(pixels.shape[1], pixels.shape[0], budget, merge=config.merge, patch_side=config.patch_side)
        positions = np.load(work / positions_name(grid.rows, grid.columns))
        given = {"patches": to_patches(pixels, grid, config), **positions}
        [embeddings] = session.run(["embeddings"], given)
        return np.asarray(embeddings)

    return encode


def in_llama_cpp(mmproj: Path, work: Path, threads: int) -> Encode:
    """Unmodified: xllamacpp's own server. Text alone takes it some milliseconds, which are in the time."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = str(thin_decoder(work)), str(mmproj)
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 2048, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.warmup = False
    server = xllamacpp.Server(params)
    with urllib.request.urlopen(f"{server.listening_address}/props") as answer:
        marker = json.load(answer)["media_marker"]

    def encode(pixels: Pixels) -> None:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        prompt = {"prompt_string": marker, "multimodal_data": [base64.b64encode(file.getvalue()).decode()]}
        body = {"prompt": prompt, "n_predict": 1, "temperature": 0, "cache_prompt": False}
        request = urllib.request.Request(
            f"{server.listening_address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            told = json.load(answer)
        wanted = pixels.shape[0] * pixels.shape[1] // TOKEN_SIDE**2
        if told["tokens_evaluated"] < wanted:
            raise SystemExit(f"llama.cpp made {told['tokens_evaluated']} tokens of a picture of {wanted}")

    return encode


def thin_decoder(work: Path) -> Path:
    """Written once."""
    path = work / "thin-q8_0.gguf"
    if not path.exists():
        planned = planned_text(text_rules(THIN), "q8_0", THIN.num_layers)
        metadata = text_metadata(THIN, "q8_0", Origin("thin", "unknown", "zeros"), made_up_vocabulary(), GLM4)
        write_gguf(path, metadata, [Filled(one, partial(_zeros, one.size_bytes)) for one in planned], silent)
    return path


def _zeros(size_bytes: int) -> Any:
    return (bytes(min(CHUNK_BYTES, size_bytes - at)) for at in range(0, size_bytes, CHUNK_BYTES))


def prepare(mmproj: Path, work: Path) -> None:
    """What the ways need besides the mmproj file."""
    thin_decoder(work)
    from benchmarks.encoder_graph import build  # needs onnx

    file = read_tensors(mmproj)
    for form in ("float32", "8 bits"):
        target = graph_of(f"ONNX Runtime {form}", work)
        if not target.exists():
            build(file, form, target)
    for rows, columns in PICTURES.values():
        np.savez(work / positions_name(rows, columns), allow_pickle=False, **positions(file, rows, columns))


def positions(file: GgufTensors, rows: int, columns: int) -> dict[str, NDArray[np.float32]]:
    """Made ahead by PyTorch, so that ONNX Runtime's process need not have it."""
    import torch

    from autoglm_phone.models.vision.vit import learned_positions, patch_places
    from autoglm_phone.ops.rope import rope_angles

    tensors = GgufFloats(file)
    config = from_gguf(file.metadata, tensors.shape)
    table = torch.from_numpy(np.array(tensors["v.position_embd.weight"]))
    grid = PatchGrid(rows, columns, config.merge, config.patch_side)
    row, column = patch_places(grid, torch.device("cpu"))
    angles = torch.cat([rope_angles(at, config.head_size // 2, config.rope_theta) for at in (row, column)], dim=-1)
    return {
        "learned": learned_positions(table, config.position_side, row, column, grid).numpy(),
        "cos": angles.cos()[None, :, None].numpy(),
        "sin": angles.sin()[None, :, None].numpy(),
    }


def positions_name(rows: int, columns: int) -> str:
    return f"positions-{rows}x{columns}.npz"


def graph_of(way: str, work: Path) -> Path:
    return work / f"{way.replace(' ', '-').lower()}.onnx"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--way", choices=WAYS, required=True)
    options.add_argument("--mmproj", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--threads", type=int, required=True)
    chosen = options.parse_args()
    start_s = time.perf_counter()
    unpack_s: Callable[[], float] | None = None
    if chosen.way == "mtmd":
        encode = in_llama_cpp(chosen.mmproj, chosen.work, chosen.threads)
    elif chosen.way.startswith("ONNX"):
        encode = in_onnxruntime(chosen.way, chosen.mmproj, chosen.work, chosen.threads)
    else:
        encode, unpack_s = in_torch(chosen.way, chosen.mmproj, chosen.threads)
    _say(seconds=time.perf_counter() - start_s)
    for line in sys.stdin:
        asked = json.loads(line)
        pixels = picture(asked["rows"], asked["columns"])
        start_s = time.perf_counter()
        embeddings = encode(pixels)
        seconds = time.perf_counter() - start_s
        if embeddings is not None:
            np.save(asked["out"], embeddings)
        _say(seconds=seconds, unpack_s=unpack_s() if unpack_s is not None and chosen.way == "8 bits" else None)


def _say(**told: float | None) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
