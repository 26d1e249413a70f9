"""Reads the words of a screen and where they stand, on rapidocr (PP-OCRv6). Icons and photographs it cannot see.

The models lie in rapidocr's wheel; nothing is ever downloaded. Called by the media process.
"""

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoglm_phone.core.errors import MissingDependency
from autoglm_phone.core.media import Image
from autoglm_phone.core.module import Reading
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.vision.bands import to_bands
from autoglm_phone.models.vision.reading_order import TextLine, to_reading_order

ARCH = "pp-ocr"
VERSION = "6-small"
LIMITS = "reads words and where they stand; icons, photographs and colours are not seen"
NO_TEXT = "There is no readable text in this picture. Nothing else in it can be seen."

_DETECTOR, _RECOGNIZER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

# Words are cut out of the picture at the first size and found at the second, band by band: what a reading takes of
# memory goes with the pixels that the detector sees at once. Over 13 real screens, one thread, letters lost of 2480
# against finding at full size, by the detector's size for 1080x2400: 720x1600 16; 576x1280 33, signs of the status
# bar mostly; 432x960 60. Boxes of tappable text: 26 of 29 at each, the other three are switches without words.
_MAX_SHORT_SIDE_PX, _MAX_PIXELS = 1200, 8_000_000
_DETECTOR_SHORT_SIDE_PX = 576
_MAX_DETECTOR_PIXELS = 576 * 640
# Thinner than this there is no letter, and the detector's grid of 32 pixels would round it away.
_MIN_SIDE_PX = 8


def module_files() -> tuple[Path, ...]:
    """The model files, in the order of their digest. Raises MissingDependency if they are not installed."""
    spec = importlib.util.find_spec("rapidocr")
    folders = spec.submodule_search_locations if spec is not None else None
    files = tuple(Path(folder) / "models" / name for folder in folders or () for name in (_DETECTOR, _RECOGNIZER))
    if not files or not all(file.is_file() for file in files):
        raise MissingDependency(
            "the screen reader needs rapidocr with the PP-OCRv6 models in its wheel; run `pip install 'rapidocr>=3.10'`"
        )
    return files


class ScreenReader:
    """An ImageReader. Not thread-safe. threads are those of one reading, at most one a core."""

    arch = ARCH
    version = VERSION
    limits = LIMITS

    def __init__(self, *, threads: int = 1) -> None:
        self.files = module_files()
        # Here and not at the top: the message of module_files comes first. These two lines are rapidocr's whole door.
        from rapidocr import RapidOCR
        from rapidocr.utils.output import RapidOCROutput

        self._output = RapidOCROutput
        self._ocr = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_preprocess_img": False,  # read() scales, and knows by how much
                # lines that stand on their head: on upright screens it found none, and lost 4 letters of 2480
                "Global.use_cls": False,
                "Det.model_path": str(self.files[0]),
                "Det.limit_type": "max",  # the limit itself follows each band's shape: see _find
                "Rec.model_path": str(self.files[1]),
                # one by one: a batch is padded to its longest line; took longer and 115 MB more at the peak
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": min(threads, os.cpu_count() or 1),
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
            }
        )
        # rapidocr loads each model when it first runs: here, not in somebody's request
        blank = np.full((64, 320, 3), 255, np.uint8)
        self._ocr(blank, use_det=True, use_cls=False, use_rec=True)
        self._ocr(blank, use_det=False, use_cls=False, use_rec=True)

    def read(self, image: Image) -> Reading:
        shape = "square" if image.width == image.height else "portrait" if image.height > image.width else "landscape"
        try:
            lines = self._find_all(_to_readable_size(image.pixels))
        finally:
            return_free_memory()
        text = "\n".join(f"[{line.x},{line.y}] {line.text}" for line in to_reading_order(lines))
        return Reading(text or NO_TEXT, f"{image.width}x{image.height} pixels, {shape}")

    def _find_all(self, pixels: NDArray[np.uint8]) -> list[TextLine]:
        height, width = pixels.shape[:2]
        if min(height, width) < _MIN_SIDE_PX:
            return []
        scale = min(1.0, _DETECTOR_SHORT_SIDE_PX / min(height, width))
        max_rows = max(1, int(_MAX_DETECTOR_PIXELS / (scale * scale * width)))
        lines = []
        for first, end in to_bands(pixels, max_rows):
            for corners, words in self._find(pixels[first:end], scale):
                lines.append(TextLine.from_corners(corners + np.array([0, first]), words, width=width, height=height))
        return lines

    def _find(self, band: NDArray[np.uint8], scale: float) -> list[tuple[NDArray[np.float64], str]]:
        """Corners (4, 2) in pixels of the band, and the words between them."""
        assert self._ocr.text_det is not None
        self._ocr.text_det.limit_side_len = round(max(band.shape) * scale)
        # the library takes OpenCV's order of colours, and keeps the switches of its last call
        found = self._ocr(np.ascontiguousarray(band[:, :, ::-1]), use_det=True, use_cls=False, use_rec=True)
        if not isinstance(found, self._output) or found.boxes is None or found.txts is None:
            return []
        return [
            (np.asarray(box, np.float64), " ".join(words.split()))
            for box, words in zip(found.boxes, found.txts, strict=True)
            if words.strip()
        ]


def _to_readable_size(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = min(_MAX_SHORT_SIDE_PX / min(height, width), math.sqrt(_MAX_PIXELS / (width * height)))
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.BOX))
