"""The vision encoder as a graph for ONNX Runtime, from the same mmproj file: float32, or 8 bits as the file has them.

Written by hand, for PyTorch's exporter knows neither ONNX Runtime's own products of packed weights (MatMulNBits, here
with accuracy_level 4: activations in 8 bits too, the fastest) nor its norm and its attention. Rotary angles and
learned positions are inputs: they hang on the picture's size alone. Needs `pip install onnx`, which nothing else does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from autoglm_phone.models.vision.config import VisionConfig, from_gguf
from autoglm_phone.models.vision.weight_map import gguf_map
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.tensor_map import GgufFloats

Form = Literal["float32", "8 bits"]
Floats = np.ndarray[Any, np.dtype[np.float32]]

BLOCK, MIN_NUMBERS = 32, 1 << 20  # as ours: a scale for 32 weights; small matrices stay what they are
ZERO = 128  # codes are unsigned here
SMALL_BYTES = 1024
FLOAT, MICROSOFT = TensorProto.FLOAT, "com.microsoft"


class _Graph:
    """Nodes, and weights in a file beside the graph: what protobuf may hold is less than the model is."""

    def __init__(self, form: Form, data: Path) -> None:
        self.form = form
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._data, self._file, self._num_names = data, data.open("wb"), 0

    def node(self, kind: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> Any:
        """The name of its output, or of each of `count` outputs."""
        outputs = [self._name() for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs[0] if count == 1 else outputs

    def weight(self, numbers: np.ndarray[Any, Any]) -> str:
        """Small ones stand in the graph itself, since shapes must be known from it."""
        if numbers.nbytes < SMALL_BYTES:
            self.weights.append(numpy_helper.from_array(numbers, self._name()))
            return str(self.weights[-1].name)
        tensor = TensorProto()
        tensor.name = self._name()
        tensor.data_type = helper.np_dtype_to_tensor_dtype(numbers.dtype)
        tensor.dims.extend(numbers.shape)
        tensor.data_location = TensorProto.EXTERNAL
        self._file.write(bytes(-self._file.tell() % 4096))  # pages, so that it can be mapped
        for key, value in (("location", self._data.name), ("offset", self._file.tell()), ("length", numbers.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        self._file.write(np.ascontiguousarray(numbers).data)
        self.weights.append(tensor)
        return str(tensor.name)

    def linear(self, x: str, weight: Floats, bias: Floats | None = None) -> str:
        """weight (out, in)."""
        if self.form == "8 bits" and weight.size >= MIN_NUMBERS and weight.shape[1] % BLOCK == 0:
            codes, scales = packed(weight)
            inputs = [x, self.weight(codes), self.weight(scales)]
            sizes = {"N": weight.shape[0], "K": weight.shape[1]}
            out = self.node(
                "MatMulNBits", inputs, domain=MICROSOFT, bits=8, block_size=BLOCK, accuracy_level=4, **sizes
            )
        else:
            out = self.node("MatMul", [x, self.weight(np.ascontiguousarray(weight.T))])
        return str(out if bias is None else self.node("Add", [out, self.weight(bias)]))

    def norm(self, x: str, weight: Floats, eps: float) -> str:
        return str(self.node("SimplifiedLayerNormalization", [x, self.weight(weight)], axis=-1, epsilon=eps))

    def numbers(self, *values: int) -> str:
        return self.weight(np.array(values, np.int64))

    def close(self) -> None:
        self._file.close()

    def _name(self) -> str:
        self._num_names += 1
        return f"t{self._num_names}"


def packed(weight: Floats) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Floats]:
    """(out, in) -> codes (out, blocks, 32) and scales (out, blocks): Q8_0's very numbers."""
    blocks = weight.reshape(len(weight), -1, BLOCK)
    scales = (np.abs(blocks).max(-1) / 127).astype(np.float16).astype(np.float32)
    codes = np.rint(blocks / np.where(scales == 0, 1, scales)[..., None]).clip(-127, 127) + ZERO
    return codes.astype(np.uint8), scales


def build(file: GgufTensors, form: Form, target: Path) -> None:
    """Writes `target` and `target` with `.data` behind it. Inputs: patches, learned, cos, sin; output: embeddings."""
    tensors = GgufFloats(file)
    config = from_gguf(file.metadata, tensors.shape)
    rules = {rule.ours: rule for rule in gguf_map(config.num_layers).rules}

    def of(name: str) -> Floats:
        return rules[name].make([tensors[theirs] for theirs in rules[name].theirs])

    graph = _Graph(form, target.with_name(target.name + ".data"))
    x = graph.linear("patches", of("patch_embed.weight"), of("patch_embed.bias"))
    x = graph.node("Add", [graph.norm(x, of("embed_norm.weight"), config.norm_eps), "learned"])
    for number in range(config.num_layers):
        layer = f"layers.{number}"
        normed = graph.norm(x, of(f"{layer}.attention_norm.weight"), config.norm_eps)
        attended = _attention(graph, config, graph.linear(normed, of(f"{layer}.attention.qkv.weight")))
        x = graph.node("Add", [x, graph.linear(attended, of(f"{layer}.attention.out.weight"))])
        normed = graph.norm(x, of(f"{layer}.ff_norm.weight"), config.norm_eps)
        x = graph.node(
            "Add", [x, _swiglu(graph, normed, of(f"{layer}.ff.gate_up.weight"), of(f"{layer}.ff.down.weight"))]
        )
    x = graph.norm(x, of("final_norm.weight"), config.norm_eps)
    x = graph.node("Reshape", [x, graph.numbers(-1, config.merge**2 * config.d_model)])
    x = graph.linear(x, of("merger.downsample.weight"), of("merger.downsample.bias"))
    x = graph.linear(x, of("merger.proj.weight"))
    norm = [graph.weight(of(f"merger.norm.{part}")) for part in ("weight", "bias")]
    x = graph.node("Gelu", [graph.node("LayerNormalization", [x, *norm], axis=-1, epsilon=1e-5)])
    x = _swiglu(graph, x, of("merger.ff.gate_up.weight"), of("merger.ff.down.weight"))
    graph.nodes.append(helper.make_node("Identity", [x], ["embeddings"]))
    graph.close()
    onnx.save(_model(graph, config), target)


def _attention(graph: _Graph, config: VisionConfig, qkv: str) -> str:
    """(T, 3 C) -> (T, C), each patch to every patch."""
    heads, size = config.num_heads, config.head_size
    q, k, v = graph.node("Split", [qkv], 3, axis=-1, num_outputs=3)
    shape = graph.numbers(1, -1, heads, size)
    turned = [_turned(graph, graph.node("Reshape", [one, shape])) for one in (q, k)]
    flat = graph.numbers(1, -1, config.d_model)
    q, k, v = (graph.node("Reshape", [one, flat]) for one in (*turned, v))
    out = graph.node("MultiHeadAttention", [q, k, v], domain=MICROSOFT, num_heads=heads)
    return str(graph.node("Reshape", [out, graph.numbers(-1, config.d_model)]))


def _turned(graph: _Graph, x: str) -> str:
    """Rotary positions: number i of a head with number i + D / 2. cos and sin are (1, T, 1, D / 2)."""
    first, second = graph.node("Split", [x], 2, axis=-1, num_outputs=2)
    product = {(a, b): graph.node("Mul", [a, b]) for a in (first, second) for b in ("cos", "sin")}
    one = graph.node("Sub", [product[first, "cos"], product[second, "sin"]])
    other = graph.node("Add", [product[second, "cos"], product[first, "sin"]])
    return str(graph.node("Concat", [one, other], axis=-1))


def _swiglu(graph: _Graph, x: str, gate_up: Floats, down: Floats) -> str:
    gate, up = (graph.linear(x, half) for half in np.split(gate_up, 2))
    gated = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])])
    return graph.linear(graph.node("Mul", [gated, up]), down)


def _model(graph: _Graph, config: VisionConfig) -> Any:
    shapes = {
        "patches": ("T", 3 * config.patch_side**2),
        "learned": ("T", config.d_model),
        "cos": (1, "T", 1, config.head_size // 2),
        "sin": (1, "T", 1, config.head_size // 2),
    }
    inputs = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info("embeddings", FLOAT, ("tokens", config.d_out))]
    made = helper.make_graph(graph.nodes, "vision", inputs, outputs, graph.weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)])
