"""A picture in the terminal: two pixels a character, one above the other."""

from PIL import Image as Pillow
from rich.style import Style
from rich.text import Text

from autoglm_phone.core.errors import RequestError
from autoglm_phone.media.image import decode_image
from autoglm_phone.media.limits import MediaLimits

MAX_COLUMNS, MAX_ROWS = 40, 20
_UPPER_HALF = "▀"


def thumbnail(data: bytes, name: str) -> Text | None:
    """None for what is no picture: the server will say why."""
    try:
        pixels = decode_image(data, MediaLimits(), param=name).pixels
    except RequestError:
        return None
    picture = Pillow.fromarray(pixels)
    picture.thumbnail((MAX_COLUMNS, MAX_ROWS * 2))
    text = Text()
    for top in range(0, picture.height, 2):
        for left in range(picture.width):
            above = _colour(picture, left, top)
            below = _colour(picture, left, min(top + 1, picture.height - 1))
            text.append(_UPPER_HALF, Style(color=above, bgcolor=below))
        text.append("\n")
    return text


def _colour(picture: Pillow.Image, left: int, top: int) -> str:
    pixel = picture.getpixel((left, top))
    assert isinstance(pixel, tuple)
    red, green, blue = (int(level) for level in pixel[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
