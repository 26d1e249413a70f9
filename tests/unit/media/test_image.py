import io
import struct
import zlib

import numpy as np
import pytest
from encoded import PICTURE_FORMATS, damage, encode_picture, quarters
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable, RequestError
from autoglm_phone.media.image import decode_image
from autoglm_phone.media.limits import MediaLimits

LIMITS = MediaLimits()
RED, LIME, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def corners(data: bytes) -> list[tuple[int, ...]]:
    """Clockwise from the top left."""
    pixels = decode_image(data, LIMITS, param="p").pixels.astype(int)
    return [tuple(pixels[y, x]) for y, x in ((5, 5), (5, -5), (-5, -5), (-5, 5))]


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    first = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + first + struct.pack(">I", 100) + b"IDAT"


@pytest.mark.parametrize("kind", PICTURE_FORMATS)
def test_every_format_gives_rgb_pixels(kind: str) -> None:
    image = decode_image(encode_picture(quarters(), kind), LIMITS, param="p")
    assert (image.width, image.height) == (60, 40)
    assert image.pixels.dtype == np.uint8
    np.testing.assert_allclose(image.pixels[5, 5].astype(int), RED, atol=30)
    np.testing.assert_allclose(image.pixels[30, 50].astype(int), BLUE, atol=30)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_picture_is_seen_upright(turn: int) -> None:
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[turn]
    picture = quarters() if stored is None else quarters().transpose(stored)
    seen = corners(encode_picture(picture, "JPEG", orientation=turn))
    for colour, expected in zip(seen, (RED, LIME, BLUE), strict=False):
        np.testing.assert_allclose(colour, expected, atol=40)


def test_a_damaged_exif_block_leaves_the_picture_readable() -> None:
    data = encode_picture(quarters(), "JPEG", orientation=6)
    damaged = data.replace(b"Exif\x00\x00MM", b"Exif\x00\x00XX")
    assert damaged != data
    assert decode_image(damaged, LIMITS, param="p").width == 60


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (10, 10, 20, 20))
    data = encode_picture(picture.quantize(4) if mode == "PA" else picture.convert(mode), "PNG")
    assert corners(data)[0] == (255, 255, 255)
    assert corners(data)[2] == (0, 0, 0)


def test_16_bits_are_scaled_and_not_clipped() -> None:
    levels = np.full((20, 20), 0x8000, np.uint16)
    assert corners(encode_picture(Image.fromarray(levels), "PNG"))[0] == (128, 128, 128)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_colour_models_become_rgb(mode: str) -> None:
    white = Image.new("RGB", (20, 20), "white").convert(mode)
    assert corners(encode_picture(white, "JPEG" if mode == "CMYK" else "PNG"))[0] == (255, 255, 255)


def test_the_first_frame_of_an_animation_is_taken() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(
        buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (20, 20), "blue")]
    )
    assert corners(buffer.getvalue())[0] == RED


def test_the_pixel_limit_holds_before_unpacking() -> None:
    # a header alone: if anything were unpacked, the missing rest would be the error
    with pytest.raises(
        MediaTooLarge, match=r"part 3: .*100000000 pixels.*limit is 32000000.*max_image_pixels"
    ) as error:
        decode_image(png_header(10_000, 10_000), LIMITS, param="part 3")
    assert error.value.param == "part 3"


@pytest.mark.parametrize("size", [(40_000, 10), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_too_large(size: tuple[int, int]) -> None:
    with pytest.raises(MediaTooLarge):
        decode_image(png_header(*size), LIMITS, param="p")


def test_the_byte_limit_names_the_way_out() -> None:
    with pytest.raises(MediaTooLarge, match=r"p: the picture has 11 bytes, the limit is 10; .*max_image_bytes"):
        decode_image(b"x" * 11, MediaLimits(max_image_bytes=10), param="p")


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"<svg/>", b"II*\x00" + bytes(50), png_header(0, 5)])
def test_what_is_no_picture_is_undecodable(data: bytes) -> None:
    with pytest.raises(MediaUndecodable, match=r"^part 1: ") as error:
        decode_image(data, LIMITS, param="part 1")
    assert error.value.param == "part 1"


@pytest.mark.parametrize("kind", PICTURE_FORMATS)
def test_a_picture_cut_short_is_undecodable(kind: str) -> None:
    data = encode_picture(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    with pytest.raises(MediaUndecodable):
        decode_image(data[: len(data) // 2], LIMITS, param="p")


@given(
    kind=st.sampled_from(PICTURE_FORMATS),
    edits=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=12),
    keep=st.sampled_from([1.0, 1.0, 0.7, 0.1]),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_damaged_bytes_give_a_picture_or_a_refusal(kind: str, edits: list[tuple[int, int]], keep: float) -> None:
    data = damage(encode_picture(quarters(), kind), edits, keep)
    try:
        image = decode_image(data, MediaLimits(max_image_pixels=1_000_000), param="p")
    except RequestError:
        return
    assert image.pixels.shape == (image.height, image.width, 3)


@given(data=st.binary(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_give_a_refusal(data: bytes) -> None:
    with pytest.raises(RequestError):
        decode_image(data, LIMITS, param="p")
