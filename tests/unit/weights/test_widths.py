import json
from pathlib import Path

import pytest
from small_bundle import HEAD, TEXT, write_bundle
from tiny_gguf import write_decoder, write_mmproj

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Modality, ModuleKind
from autoglm_phone.weights.bundle import load_bundle
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec, ProjectorSpec, Widths
from autoglm_phone.weights.widths import width_faults


def spec(
    kind: ModuleKind, form: str, widths: Widths, *names: str, projector: ProjectorSpec | None = None
) -> ModuleSpec:
    return ModuleSpec(kind, form, "glm4", "1", "MIT", files_of(*names), "none", widths=widths, projector=projector)


def files_of(*names: str) -> tuple[FileSpec, ...]:
    return tuple(FileSpec(name, 1, "0" * 64) for name in names)


def write_safetensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": (end, end + size)}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    return path


def test_a_gguf_that_keeps_its_word_has_no_faults(tmp_path: Path) -> None:
    text, mmproj = write_decoder(tmp_path / "text.gguf"), write_mmproj(tmp_path / "mmproj.gguf")
    assert width_faults("text", spec("decoder", "gguf", Widths(d_model=8), text.name), [text]) == []
    assert width_faults("vision", spec("encoder", "gguf", Widths(d_out=8), mmproj.name), [mmproj]) == []


@pytest.mark.parametrize("said", [8, 16])
def test_both_the_key_and_the_tensor_of_a_gguf_count(tmp_path: Path, said: int) -> None:
    text = write_decoder(tmp_path / "text.gguf", 16, said=said)
    [*faults] = width_faults("text", spec("decoder", "gguf", Widths(d_model=8), text.name), [text])
    places = ["token_embd.weight of text.gguf has 16"]
    assert [fault.partition(", and ")[2] for fault in faults] == ["glm4.embedding_length of text.gguf has 16"] * (
        said == 16
    ) + places


def test_an_encoder_of_another_width_is_named(tmp_path: Path) -> None:
    mmproj = write_mmproj(tmp_path / "mmproj.gguf", 16)
    faults = width_faults("vision", spec("encoder", "gguf", Widths(d_out=8), mmproj.name), [mmproj])
    assert faults[0] == "vision: bundle.toml has d_out = 8, and clip.vision.projection_dim of mmproj.gguf has 16"


def test_safetensors_and_projectors_are_compared_too(tmp_path: Path) -> None:
    encoder = write_safetensors(tmp_path / "encoder.safetensors", {"model.encoder.layer_norm.weight": (6, 1)})
    projector = write_safetensors(
        tmp_path / "projector.safetensors", {"linear_1.weight": (9, 6), "linear_2.weight": (8, 9)}
    )

    def faults(d_in: int, d_out: int) -> list[str]:
        behind = ProjectorSpec("safetensors", "mlp", files_of(projector.name), Widths(d_in=d_in, d_out=d_out))
        module = spec("encoder", "safetensors", Widths(d_out=6), encoder.name, projector=behind)
        return width_faults("speech", module, [encoder, projector])

    assert faults(6, 8) == []
    assert [fault.partition(":")[0] for fault in faults(5, 7)] == ["speech.projector", "speech.projector"]


def test_a_damaged_header_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_bytes(b"GGUF and nothing else")
    with pytest.raises(BundleError, match=r"text.gguf is damaged"):
        width_faults("text", spec("decoder", "gguf", Widths(d_model=8), path.name), [path])


ENCODER = """
[{modality}]
kind = "encoder"
format = "gguf"
arch = "glm4v"
version = "1"
licence = "MIT"
limits = "small"
{widths}
[[{modality}.files]]
name = "mmproj.gguf"
size_bytes = 1
sha256 = "{digest}"
"""


@pytest.mark.parametrize(
    ("modality", "widths", "message"),
    [
        ("vision", "", r"\[vision\] has no widths.d_out"),
        ("vision", "widths = { d_out = 16 }", r"\[vision\] gives embeddings of 16 numbers .*d_model is 8"),
        ("speech", "widths = { d_out = 0 }", r"d_out"),
        (
            "speech",
            'widths = { d_out = 6 }\nprojector = { format = "gguf", arch = "mlp", widths = { d_in = 5, d_out = 8 }, '
            'files = [{ name = "p.gguf", size_bytes = 1, sha256 = "' + "1" * 64 + '" }] }',
            r"gives 6 numbers .* its projector takes 5",
        ),
    ],
)
def test_widths_that_cannot_go_together_are_refused_before_any_file_is_read(
    tmp_path: Path, modality: Modality, widths: str, message: str
) -> None:
    text = TEXT.replace('arch = "qwen2"', 'arch = "qwen2"\nwidths = { d_model = 8 }')
    encoder = ENCODER.format(modality=modality, widths=widths, digest="0" * 64)
    with pytest.raises(BundleError, match=message):
        load_bundle(write_bundle(tmp_path, HEAD + text + encoder))
