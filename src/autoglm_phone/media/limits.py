"""How much of a picture or a sound is accepted: media bytes are hostile, so every size has a bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaLimits:
    """Pixels and sides are read off the header, before anything is unpacked; seconds are counted while decoding."""

    max_image_pixels: int = 32_000_000
    max_image_side_px: int = 32_768
    max_image_bytes: int = 32 * 1024 * 1024
    max_sound_bytes: int = 64 * 1024 * 1024
    max_sound_s: int = 300
