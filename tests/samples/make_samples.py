"""Makes the sample files beside it; run it again only to change them.

Needs Debian's espeak-ng, fonts-dejavu-core and fonts-wqy-microhei. A picture of a font's letters and the speech of
espeak-ng are nobody's work but ours: the files may be shipped under the licence of this repository.
"""

import io
import subprocess
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
LATIN = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
CHINESE = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"

SPOKEN = "Open the settings and turn on the alarm at seven o'clock."
# What stands where: the words, the centre of the left edge in pixels, the size of the letters, the font.
WORDS = (
    ("Settings", (80, 160), 64, LATIN),
    ("Network and internet", (80, 400), 44, LATIN),
    ("On", (900, 400), 40, LATIN),
    ("Bluetooth", (80, 560), 44, LATIN),
    ("Off", (900, 560), 40, LATIN),
    ("Battery 84%", (80, 720), 44, LATIN),
    ("显示和亮度", (80, 880), 46, CHINESE),
    ("声音和振动", (80, 1040), 46, CHINESE),
    ("关于手机", (80, 1200), 46, CHINESE),
    ("Cancel", (150, 2250), 48, LATIN),
    ("Save", (760, 2250), 48, LATIN),
)


def draw_screen() -> Image.Image:
    screen = Image.new("RGB", (1080, 2400), "#fafafa")
    pen = ImageDraw.Draw(screen)
    for y in range(320, 1300, 160):
        pen.line((60, y, 1020, y), fill="#d0d0d0", width=3)
    pen.rounded_rectangle((660, 2180, 980, 2320), 40, fill="#1a73e8")
    for words, place, size, font in WORDS:
        colour = "white" if words == "Save" else "#202124"
        pen.text(place, words, colour, ImageFont.truetype(font, size), anchor="lm")
    return screen


def speak(text: str) -> bytes:
    """FLAC, mono, 16 kHz."""
    spoken = subprocess.run(
        ["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text], check=True, capture_output=True
    ).stdout
    buffer = io.BytesIO()
    with av.open(io.BytesIO(spoken), "r") as source, av.open(buffer, "w", format="flac") as target:
        stream = target.add_stream("flac", rate=16_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.format = av.AudioFormat("s16")
        cutter = av.AudioResampler("s16", "mono", 16_000, frame_size=4096)
        for frame in source.decode(audio=0):
            for piece in cutter.resample(frame):
                target.mux(stream.encode(piece))
        for piece in cutter.resample(None):
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    return buffer.getvalue()


if __name__ == "__main__":
    draw_screen().save(HERE / "settings_screen.png", optimize=True)
    (HERE / "open_settings.flac").write_bytes(speak(SPOKEN))
