"""The screen reader on drawn and on real screens. Its models lie in rapidocr's wheel, so that this always runs."""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoglm_phone.core.media import Image
from autoglm_phone.media.image import decode_image
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.models.vision.screen_reader import MORE_TEXT, ScreenReader

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests/samples/settings_screen.png"


@pytest.fixture(scope="module")
def reader() -> ScreenReader:
    return ScreenReader()


@pytest.fixture(scope="module")
def screens(extra_data: Path) -> Path:
    return extra_data / "screens"


def load(path: Path) -> Image:
    return decode_image(path.read_bytes(), MediaLimits(), param=path.name)


def places(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Words and their centres, in reading order."""
    found = re.findall(r'^"(.+)" \[(\d+),(\d+)\]$', text, re.MULTILINE)
    assert len(found) == len(text.splitlines())
    return [(words, (int(x), int(y))) for words, x, y in found]


def test_every_word_of_the_sample_is_read_in_order_and_in_its_place(reader: ScreenReader) -> None:
    reading = reader.read(load(SAMPLE))
    assert reading.summary == "1080x2400 pixels, portrait"
    assert [words for words, _ in places(reading.text)] == [
        *("Settings", "Network and internet", "On", "Bluetooth", "Off", "Battery 84%"),
        *("显示和亮度", "声音和振动", "关于手机", "Cancel", "Save"),
    ]
    # the button is drawn from (660, 2180) to (980, 2320)
    assert dict(places(reading.text))["Save"] == pytest.approx((758, 937), abs=8)


@pytest.mark.parametrize(("width", "height"), [(1080, 2400), (4320, 3000), (1080, 7000), (2560, 1440), (300, 200)])
def test_coordinates_are_those_of_the_picture_as_it_came(reader: ScreenReader, width: int, height: int) -> None:
    sample = PillowImage.open(SAMPLE).convert("RGB")
    save = (
        sample.crop((660, 2180, 980, 2320)).resize((160, 70)) if width == 300 else sample.crop((660, 2180, 980, 2320))
    )
    page = PillowImage.new("RGB", (width, height), "white")
    left, top = width // 8, height * 3 // 4 - save.height // 2
    page.paste(save, (left, top))
    found = dict(places(reader.read(Image(np.array(page))).text))
    expected = ((left + save.width / 2) / width * 1000, (top + save.height / 2) / height * 1000)
    assert found["Save"] == pytest.approx(expected, abs=12)


def test_a_picture_without_words_is_said_to_hold_none(reader: ScreenReader) -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    for pixels in (
        np.full((600, 800, 3), 255, np.uint8),
        np.repeat(np.tile(ramp, (600, 1))[:, :, np.newaxis], 3, axis=2),
    ):
        reading = reader.read(Image(pixels))
        assert reading.text == ""
        assert reading.summary == "800x600 pixels, landscape"


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (30_000, 1), (9, 9), (8, 2000), (2000, 8), (40, 40), (33, 700)])
def test_odd_shapes_are_no_error(reader: ScreenReader, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert reader.read(Image(noise)).summary.startswith(f"{shape[1]}x{shape[0]} pixels")


def test_nothing_is_logged_or_printed(
    reader: ScreenReader, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ScreenReader()
    reader.read(Image(np.full((64, 64, 3), 255, np.uint8)))
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name == "RapidOCR"] == []


KNOWN_WORDS = {
    "hail_en_1.png": ("Shizuku - Hide", "Cancel"),
    "hail_zh_1.png": ("应用", "打印处理服务", "首页", "设置", "关于"),
    "clockyou_en_1.png": ("Alarm", "Clock You", "Stopwatch", "Repeating"),
    "radarweather_en_1.png": ("RadarWeather", "Manage locations", "Radius Search", "Star on GitHub"),
}


@pytest.mark.parametrize("name", KNOWN_WORDS)
def test_real_screens_are_read(reader: ScreenReader, screens: Path, name: str) -> None:
    found = places(reader.read(load(screens / name)).text)
    assert set(KNOWN_WORDS[name]) <= set(dict(found))
    assert all(below > above - 20 for (_, (_, above)), (_, (_, below)) in pairwise(found))  # rows go down


def test_what_can_be_tapped_by_its_words_is_found(reader: ScreenReader, screens: Path) -> None:
    """26 of the 29 boxes hold words; the other three are switches whose words stand beside them."""
    items = [item for item in json.loads((screens / "items.json").read_text()) if item["kind"] == "text"]
    centres = {
        name: [centre for _, centre in places(reader.read(load(screens / name)).text)]
        for name in {item["image"] for item in items}
    }
    hits = 0
    for item in items:
        left, top, right, bottom = item["box"]
        hits += any(
            left <= x * item["width"] / 1000 <= right and top <= y * item["height"] / 1000 <= bottom
            for x, y in centres[item["image"]]
        )
    assert len(items) == 29
    assert hits >= 26


def test_a_picture_with_too_many_words_says_so(reader: ScreenReader) -> None:
    button = PillowImage.open(SAMPLE).convert("RGB").crop((740, 2220, 900, 2280)).resize((80, 30))
    page = PillowImage.new("RGB", (1200, 1600), "#1a73e8")
    for x in range(0, 1200, 110):
        for y in range(0, 1600, 60):
            page.paste(button, (x, y))
    reading = reader.read(Image(np.array(page)))
    assert reading.text.endswith(f"\n{MORE_TEXT}")
    assert reading.text.count("Save") > 200


Pixels = NDArray[np.uint8]


def with_another_clock(screen: Pixels, other: Pixels) -> Pixels:
    changed = screen.copy()
    rows = len(screen) // 30
    changed[:rows] = other[:rows]
    return changed


def half_another(screen: Pixels, other: Pixels) -> Pixels:
    return np.concatenate([screen[: len(screen) // 2], other[len(screen) // 2 :]])


def scrolled(screen: Pixels, other: Pixels) -> Pixels:
    """The page goes up by a twelfth; the bars above and below it stay."""
    height = len(screen)
    top, bottom, step = height // 8, height * 9 // 10, height // 12
    return np.concatenate([screen[:top], screen[top + step : bottom], other[top : top + step], screen[bottom:]])


def whole_words(text: str) -> Counter[str]:
    """Lines of three letters or more: a single sign is often an icon, and what it is taken for hangs on a pixel."""
    return Counter(words for words, _ in places(text) if sum(map(str.isalnum, words)) >= 3)


SCREENS = [("hail_zh_1.png", "hail_en_1.png"), ("qbitcontroller_en_2.png", "qbitcontroller_en_1.png")]


@pytest.mark.parametrize("change", [with_another_clock, half_another, scrolled])
@pytest.mark.parametrize(("name", "other_name"), SCREENS)
def test_reading_what_changed_gives_what_reading_all_gives(
    screens: Path, name: str, other_name: str, change: Callable[[Pixels, Pixels], Pixels]
) -> None:
    """Up to one line in twenty, where the detector draws a box a few pixels off (docs/adr/0006)."""
    screen, other = load(screens / name).pixels, load(screens / other_name).pixels
    changed = change(screen, other)
    reader = ScreenReader()
    reader.read(Image(screen))
    found, expected = reader.read(Image(changed)).text, ScreenReader().read(Image(changed)).text
    same = (whole_words(found) & whole_words(expected)).total()
    assert same >= 0.95 * whole_words(expected).total() - 1
    assert same >= 0.9 * whole_words(found).total() - 1
    centres = {words: centre for words, centre in places(expected) if whole_words(expected)[words] == 1}
    for words, centre in places(found):
        if words in centres and whole_words(found)[words] == 1:
            assert centre == pytest.approx(centres[words], abs=6)


def test_nothing_of_other_screens_is_in_a_reading(reader: ScreenReader, screens: Path) -> None:
    for name in ("hail_en_1.png", "daysleft_zh_1.png", "hail_zh_1.png"):
        image = load(screens / name)
        assert reader.read(image) == reader.read(image) == ScreenReader().read(image)
