"""`autoglm-phone convert` and `synth`: checkpoints, or random numbers, to files that are served."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.cli.progress_bar import ProgressBar
from autoglm_phone.convert.mix import EncoderMix, TextMix, encoder_mix_beside
from autoglm_phone.convert.synth import Synthesis, synthesise
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.convert.to_weight_only import convert_weight_only, encoders_of
from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings import this_machine
from autoglm_phone.weights.checkpoint import open_checkpoint


class Form(Enum):
    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_K_M = "q4_k_m"
    Q4_0 = "q4_0"
    INT8 = "int8"
    INT4 = "int4"


class TextForm(Enum):
    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_K_M = "q4_k_m"
    Q4_0 = "q4_0"


class EncoderForm(Enum):
    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"


class Preset(Enum):
    NINE_B = "9b"
    TINY = "tiny"


Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write into.")]
Encoders = Annotated[
    EncoderForm | None,
    typer.Option("--mmproj-type", help="The encoders' format; else f32 or f16 where the text has it, or q8_0."),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="tokenizer.json, ranks in tiktoken's form, or a folder with one of them."),
]


def convert(
    source: Annotated[Path, typer.Argument(metavar="HF_DIR", help="A folder with config.json and safetensors.")],
    out: Out,
    form: Annotated[Form, typer.Option("--type", help="int8 and int4 write safetensors, the others GGUF.")] = (
        Form.Q4_K_M
    ),
    mmproj_type: Encoders = None,
    tokenizer: Tokenizer = None,
    speech: Annotated[
        Path | None, typer.Option(metavar="HF_DIR", help="A Whisper checkpoint whose encoder the model is to hear by.")
    ] = None,
    projector: Annotated[
        Path | None, typer.Option(metavar="HF_DIR", help="Where its projector is, if not in the same folder.")
    ] = None,
    encoders_only: Annotated[
        bool, typer.Option("--encoders-only", help="Leave the text out: encoders and projectors alone.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that quantise; else one for each core.")] = None,
) -> None:
    """Convert a checkpoint of GLM-4.1V's architecture: AutoGLM-Phone-9B's, or a fine-tune of it.

    Writes text-TYPE.gguf and mmproj-TYPE.gguf, tensor by tensor. A run that was cut off goes on where it was when it is
    started again; a file under its final name is whole.
    """
    checkpoint = open_checkpoint(source)
    workers = threads or this_machine().cores
    heard = speech_of(speech, projector)
    with ProgressBar(f"Converting {source.name}") as bar:
        if form in (Form.INT8, Form.INT4):
            if speech is not None or tokenizer is not None or mmproj_type is not None:
                raise SetupError(f"--type {form.value} keeps the layout of HF_DIR: it takes none of the other options")
            source_of = encoders_of(checkpoint) if encoders_only else checkpoint
            print(convert_weight_only(source_of, out, 8 if form is Form.INT8 else 4, workers, bar))
            return
        text = TextForm(form.value)
        how = Conversion(_mix(text), _encoder_mix(mmproj_type, text), _quantiser(), workers, bar, tokenizer)
        files = [convert_encoders(checkpoint, out, how, heard)]
        files += [] if encoders_only else [convert_text(checkpoint, out, how)]
    print("\n".join(str(path) for path in files if path is not None))


def synth(
    preset: Annotated[Preset, typer.Argument(help="9b has the shapes of AutoGLM-Phone-9B, tiny is for tests.")],
    out: Out,
    form: Annotated[TextForm, typer.Option("--type", help="The text's format.")] = TextForm.Q4_K_M,
    mmproj_type: Encoders = None,
    tokenizer: Tokenizer = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
) -> None:
    """Write a model with random weights: to measure what the true one costs. What it says is nonsense.

    Without --tokenizer a vocabulary of the true size is made up, with the true special tokens.
    """
    with ProgressBar(f"Writing {preset.value}") as bar:
        how = Synthesis(_mix(form), _encoder_mix(mmproj_type, form), _quantiser(), bar, seed, tokenizer)
        files = synthesise("9b" if preset is Preset.NINE_B else "tiny", out, how)
    print("\n".join(map(str, files)))


def speech_of(speech: Path | None, projector: Path | None) -> Speech | None:
    """The options --speech and --projector. Raises SetupError, or BundleError for a folder that is no checkpoint."""
    if speech is not None:
        return Speech(open_checkpoint(speech), open_checkpoint(projector or speech))
    if projector is not None:
        raise SetupError("--projector belongs to --speech: name the checkpoint of the speech encoder too")
    return None


def _quantiser() -> Quantiser:
    return Quantiser(LlamaLibrary())


def _mix(form: TextForm) -> TextMix:
    return form.value


def _encoder_mix(chosen: EncoderForm | None, text: TextForm) -> EncoderMix:
    return encoder_mix_beside(_mix(text)) if chosen is None else chosen.value
