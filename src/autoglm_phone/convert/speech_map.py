"""A Whisper encoder and an Ultravox projector: their names to those of llama.cpp's projector type `ultravox`.

The projector stacks `stack` frames, norms them (RMS, 1e-6), and is a SwiGLU whose second half is the gate.
Source: llama.cpp b11549, conversion/ultravox.py and tools/mtmd/models/whisper-enc.cpp.
"""

from autoglm_phone.convert.planned import Rule
from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.speech.config import SpeechConfig
from autoglm_phone.weights.checkpoint import Checkpoint
from autoglm_phone.weights.dequantize import Floats

ENCODER = "model.encoder."
PROJECTOR = "multi_modal_projector."
WINDOW_FRAMES = 1500  # behind the convolutions, of 30 s


def stack_of(projector: Checkpoint, config: SpeechConfig) -> int:
    """How many frames of the encoder make an embedding. Raises BundleError if 30 s are no whole number of them."""
    if config.rotary_size is not None or config.max_positions != WINDOW_FRAMES:
        raise BundleError("the speech encoder is not Whisper's over 30 s: llama.cpp hears with no other")
    norm = projector.tensor(f"{PROJECTOR}ln_pre.weight")
    stack, rest = divmod(norm.size_bytes // norm.row_bytes * norm.shape[-1], config.d_model)
    if rest or not stack or WINDOW_FRAMES % stack:
        raise BundleError(
            f"tensor {norm.name!r} is {norm.shape}: it must be {config.d_model} times a divisor of "
            f"{WINDOW_FRAMES}, or llama.cpp stops at the first sound"
        )
    return stack


def encoder_rules(config: SpeechConfig) -> list[Rule]:
    width, bins = config.d_model, config.num_mels
    rules = [
        Rule(f"{ENCODER}conv1.weight", "a.conv1d.1.weight", (width, bins, 3)),
        Rule(f"{ENCODER}conv1.bias", "a.conv1d.1.bias", (width, 1), _as_column, (width,)),
        Rule(f"{ENCODER}conv2.weight", "a.conv1d.2.weight", (width, width, 3)),
        Rule(f"{ENCODER}conv2.bias", "a.conv1d.2.bias", (width, 1), _as_column, (width,)),
        Rule(f"{ENCODER}embed_positions.weight", "a.position_embd.weight", (config.max_positions, width)),
    ]
    for layer in range(config.num_layers):
        rules += _layer(config, layer)
    return [*rules, *_both(f"{ENCODER}layer_norm", "a.post_ln", (width,))]


def projector_rules(projector: Checkpoint, config: SpeechConfig, text_width: int) -> list[Rule]:
    """Shapes but the outer ones are as they stand in the file."""
    stacked = stack_of(projector, config) * config.d_model
    inner = projector.tensor(f"{PROJECTOR}linear_1.weight").shape[0]
    return [
        Rule(f"{PROJECTOR}ln_pre.weight", "mm.a.norm_pre.weight", (stacked,)),
        Rule(f"{PROJECTOR}linear_1.weight", "mm.a.mlp.1.weight", (inner, stacked)),
        Rule(f"{PROJECTOR}ln_mid.weight", "mm.a.norm_mid.weight", (inner // 2,)),
        Rule(f"{PROJECTOR}linear_2.weight", "mm.a.mlp.2.weight", (text_width, inner // 2)),
    ]


def _layer(config: SpeechConfig, layer: int) -> list[Rule]:
    width, ffn = config.d_model, config.d_ff
    source, target = f"{ENCODER}layers.{layer}", f"a.blk.{layer}"
    attention = f"{source}.self_attn"
    return [
        *_both(f"{source}.self_attn_layer_norm", f"{target}.ln1", (width,)),
        *_both(f"{attention}.q_proj", f"{target}.attn_q", (width, width)),
        Rule(f"{attention}.k_proj.weight", f"{target}.attn_k.weight", (width, width)),  # Whisper has no bias here
        *_both(f"{attention}.v_proj", f"{target}.attn_v", (width, width)),
        *_both(f"{attention}.out_proj", f"{target}.attn_out", (width, width)),
        *_both(f"{source}.final_layer_norm", f"{target}.ln2", (width,)),
        *_both(f"{source}.fc1", f"{target}.ffn_up", (ffn, width)),
        *_both(f"{source}.fc2", f"{target}.ffn_down", (width, ffn)),
    ]


def _both(source: str, target: str, shape: tuple[int, ...]) -> list[Rule]:
    return [
        Rule(f"{source}.weight", f"{target}.weight", shape),
        Rule(f"{source}.bias", f"{target}.bias", shape[:1]),
    ]


def _as_column(bias: Floats) -> Floats:
    return bias[:, None]
