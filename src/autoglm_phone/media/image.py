"""Bytes of a picture -> upright RGB pixels. Whatever the bytes are, the answer is an Image or a RequestError."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL import Image as PillowImage

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable, RequestError
from autoglm_phone.core.media import Image
from autoglm_phone.media.limits import MediaLimits

# Named from the plugins themselves: importing them is what lets Pillow find them without loading every other one.
_FORMATS = [
    PngImagePlugin.PngImageFile.format,
    JpegImagePlugin.JpegImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    GifImagePlugin.GifImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
]
_ACCEPTED = "PNG, JPEG, WebP, GIF or BMP"

# Exif 2.32, table 6: how to turn what was stored into what was seen.
_TURNS = {
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_270,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_90,
}


def decode_image(data: bytes, limits: MediaLimits, *, param: str) -> Image:
    """The first frame, turned upright as its EXIF data say, on white where it is transparent.

    Raises MediaTooLarge over a limit, MediaUndecodable for anything that is not a whole picture.
    """
    if len(data) > limits.max_image_bytes:
        raise MediaTooLarge(
            f"{param}: the picture has {len(data)} bytes, the limit is {limits.max_image_bytes}; "
            "send it smaller or raise the server's max_image_bytes",
            param=param,
        )
    if not data:
        raise MediaUndecodable(f"{param}: the picture is empty (0 bytes); send {_ACCEPTED}", param=param)
    # Pillow warns of odd metadata and of large pictures; the pixels decide, and the size is checked below.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image(_unpack(data, limits, param))
        except RequestError:
            raise
        except PillowImage.DecompressionBombError as error:
            raise MediaTooLarge(
                f"{param}: {error}; the limit here is {limits.max_image_pixels} pixels, send the picture smaller",
                param=param,
            ) from error
        except UnidentifiedImageError as error:
            raise MediaUndecodable(
                f"{param}: these {len(data)} bytes are no picture this server reads; send {_ACCEPTED}", param=param
            ) from error
        # Here hostile bytes meet the decoders, and what Pillow raises for them is no closed set: besides OSError,
        # SyntaxError, ValueError and struct.error, fuzzing brought out errors of type, index and arithmetic.
        except Exception as error:
            raise MediaUndecodable(
                f"{param}: the picture is damaged or cut short ({len(data)} bytes: {error}); send a whole {_ACCEPTED}",
                param=param,
            ) from error


def _unpack(data: bytes, limits: MediaLimits, param: str) -> NDArray[np.uint8]:
    with PillowImage.open(io.BytesIO(data), formats=_FORMATS) as picture:
        _check_size(picture, limits, param)
        picture.load()
        # a GIF's first frame and a hostile header may disagree with what was declared
        _check_size(picture, limits, param)
        turn = _TURNS.get(_orientation(picture))
        upright = picture.transpose(turn) if turn is not None else picture
        return np.array(_to_rgb(upright), dtype=np.uint8)


def _check_size(picture: PillowImage.Image, limits: MediaLimits, param: str) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise MediaUndecodable(f"{param}: the picture is {width}x{height} pixels; send one with content", param=param)
    if width * height > limits.max_image_pixels:
        raise MediaTooLarge(
            f"{param}: the picture has {width * height} pixels ({width}x{height}), the limit is "
            f"{limits.max_image_pixels}; send it smaller or raise the server's max_image_pixels",
            param=param,
        )
    if max(width, height) > limits.max_image_side_px:
        raise MediaTooLarge(
            f"{param}: the picture is {width}x{height} pixels, the limit is {limits.max_image_side_px} a side; "
            "send it smaller or in parts",
            param=param,
        )


def _orientation(picture: PillowImage.Image) -> int:
    """1 where the EXIF data are absent or damaged: the picture itself may still be whole."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in decode_image: what a damaged block raises is no closed set
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(picture: PillowImage.Image) -> PillowImage.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        # Pillow's own conversion clips 16 bits at 255 instead of scaling them
        levels = np.clip(np.asarray(picture).astype(np.int32) >> 8, 0, 255)
        return PillowImage.fromarray(levels.astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    page = PillowImage.new("RGB", layer.size, "white")
    page.paste(layer, mask=layer.getchannel("A"))
    return page
