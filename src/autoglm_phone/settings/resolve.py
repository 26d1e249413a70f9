"""Turns what was left open into what is done on this machine, once and without looking at anything. Pure."""

from dataclasses import dataclass
from typing import Literal

from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings.fields import Settings
from autoglm_phone.settings.hardware import Hardware

PHONE_WINDOW = 2048  # the article's
# A token of the 0.5B decoder takes 12 KB, of the 1.5B 28 KB: the least holds 8,000 or 3,500 tokens, which is four steps
# of a phone or one, and the most five times as many.
MIN_SPILL_BYTES, MAX_SPILL_BYTES = 96 << 20, 512 << 20
SPILL_PART = 32  # of the machine's memory


@dataclass(frozen=True)
class Resolved:
    """What hangs on the machine, the profile or the bundle. prefill_chunk None: adapted as it runs.

    encoder_threads: of a picture that becomes embeddings.
    """

    threads: int
    media_threads: int
    encoder_threads: int
    prefill_chunk: int | None
    spill_bytes: int
    max_model_len: int
    truncation: Literal["error", "auto"]


def resolve(settings: Settings, hardware: Hardware, bundle_window: int) -> Resolved:
    """bundle_window: the longest window, in tokens, that the bundle is made for. What was set outweighs a profile."""
    if settings.admin_key is not None and settings.admin_key == settings.api_key:
        raise SetupError("admin_key and api_key are the same; whoever may ask could load modules then")
    truncation = settings.truncation
    if settings.profile == "phone" and "truncation" not in settings.model_fields_set:
        truncation = "auto"
    return Resolved(
        threads=hardware.cores if settings.threads == "auto" else settings.threads,
        # one thread reads and is nice; more of them would take the cores from under the decoder (docs/adr/0002)
        media_threads=1 if settings.media_threads == "auto" else settings.media_threads,
        # nobody can answer before a picture is encoded, which takes seconds of all cores; nice lets streams go first
        encoder_threads=hardware.cores if settings.media_threads == "auto" else settings.media_threads,
        prefill_chunk=None if settings.prefill_chunk == "auto" else settings.prefill_chunk,
        spill_bytes=_spill_bytes(hardware) if settings.spill_bytes == "auto" else int(settings.spill_bytes),
        max_model_len=window_of(settings, bundle_window),
        truncation=truncation,
    )


def window_of(settings: Settings, bundle_window: int) -> int:
    """In tokens, of a decoder that is made for so many at most. Raises SetupError where more were asked for."""
    if "max_model_len" not in settings.model_fields_set:
        window = PHONE_WINDOW if settings.profile == "phone" else settings.max_model_len
        return min(window, bundle_window, settings.kv_tokens)
    window = settings.max_model_len
    if window > bundle_window:
        raise SetupError(
            f"max_model_len is {window}, and this model is made for {bundle_window} tokens; set it no higher"
        )
    if window > settings.kv_tokens:
        raise SetupError(
            f"a window of {window} tokens does not fit {settings.kv_tokens} tokens of KV cache; lower max_model_len "
            "or raise kv_tokens"
        )
    return window


def _spill_bytes(hardware: Hardware) -> int:
    return max(MIN_SPILL_BYTES, min(hardware.memory_bytes // SPILL_PART, MAX_SPILL_BYTES))
