"""Reads the words of a screen and where they stand, on rapidocr (PP-OCRv6). Icons and photographs it cannot see.

The models lie in rapidocr's wheel; nothing is ever downloaded. Called by the media process.
"""

import contextlib
import importlib.util
import math
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoglm_phone.core.errors import BundleError, MissingDependency
from autoglm_phone.core.media import Image
from autoglm_phone.core.module import Reading, ReadLine
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.vision.bands import to_bands
from autoglm_phone.models.vision.reading_order import TextLine, to_reading_order
from autoglm_phone.models.vision.seen_screens import FoundLine, SeenScreens, to_rows
from autoglm_phone.models.vision.strips import Strip, to_strips

ARCH = "pp-ocr"
VERSION = "6-small"
LIMITS = "reads words and where they stand; icons, photographs and colours are not seen"
MORE_TEXT = "There are more words in this picture than were read."

_DETECTOR, _RECOGNIZER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

# Words are cut out of the picture at the first size and found at the second, band by band: what a reading takes of
# memory goes with the pixels that the detector sees at once. Over 13 real screens, letters lost of 2480 against finding
# at full size: 19 (signs of the status bar, mostly), and 54 with the whole screen at 460x1024, which takes as much
# memory. Boxes of tappable text found: 26 of 29 at any size, the other three are switches without words.
_MAX_SHORT_SIDE_PX, _MAX_WIDTH_PX, _MAX_PIXELS = 1200, 2400, 8_000_000
_DETECTOR_SHORT_SIDE_PX = 576
_MAX_DETECTOR_PIXELS = 576 * 640
_DETECTOR_GRID_PX = 32
# A screen holds 20 lines, a dense page 100. The bounds on their number and on their width by height keep hostile
# pictures from taking minutes or gigabytes: the recognizer takes about 30 kB a pixel of a line 48 pixels high.
_MAX_LINES, _MAX_LINE_SHAPE = 250, 60
_MIN_LINE_PX = 96
_MIN_SCORE = 0.5
# Thinner than this there is no letter, and the detector's grid would round it away.
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
    """An ImageReader. Not thread-safe. threads are those of one reading, at most one a core.

    files: detector and recognizer, as ONNX; None takes those of the installed package.
    """

    arch = ARCH
    version = VERSION
    limits = LIMITS

    def __init__(self, files: tuple[Path, ...] | None = None, *, threads: int = 1) -> None:
        self.files = module_files() if files is None else files
        if len(self.files) < len((_DETECTOR, _RECOGNIZER)):
            raise BundleError(f"a screen reader is a detector and a recognizer; its module has {len(self.files)} file")
        self._seen = SeenScreens()
        # Here and not at the top: the message of module_files comes first.
        from rapidocr import RapidOCR
        from rapidocr.main import RapidOCRError

        self._nothing_found = RapidOCRError
        self._ocr = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_preprocess_img": False,  # read() scales, and knows by how much
                # lines that stand on their head: on upright screens it found none, and lost 4 letters of 2480
                "Global.use_cls": False,
                "Det.model_path": str(self.files[0]),
                "Det.limit_type": "max",  # the limit itself follows each band's shape: see _find
                "Rec.model_path": str(self.files[1]),
                # one by one: a batch is padded to its longest line; took longer and 115 MB more at the peak, and even
                # lines of the same width take as long together (docs/adr/0006)
                "Rec.rec_batch_num": 1,
                # A line is padded to this width at least, 320 by default: 13 screens' words were the same but for two
                # letters, in 60 % of the time, for most lines of a screen are short. Icons taken for letters change.
                "Rec.rec_img_shape": [3, 48, _MIN_LINE_PX],
                "EngineConfig.onnxruntime.intra_op_num_threads": min(threads, os.cpu_count() or 1),
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
            }
        )
        # rapidocr loads each model when it first runs: here, not in somebody's request
        blank = np.full((64, 320, 3), 255, np.uint8)
        with contextlib.suppress(RapidOCRError):
            self._ocr.detect_and_crop(blank, {})
        self._ocr.recognize_txt([blank])

    def read(self, image: Image) -> Reading:
        shape = "square" if image.width == image.height else "portrait" if image.height > image.width else "landscape"
        pixels = _to_readable_size(image.pixels)
        try:
            lines, is_whole = self._read_lines(pixels)
        finally:
            return_free_memory()
        height, width = pixels.shape[:2]
        read = (TextLine.from_corners(one.corners, one.words, width=width, height=height) for one in lines if one.words)
        ordered = to_reading_order(read)
        rows = [f'"{line.text}" [{line.x},{line.y}]' for line in ordered]
        if not is_whole:
            rows.append(MORE_TEXT)
        boxes = tuple(ReadLine(line.text, line.box) for line in ordered)
        return Reading("\n".join(rows), f"{image.width}x{image.height} pixels, {shape}", boxes)

    def _read_lines(self, pixels: NDArray[np.uint8]) -> tuple[list[FoundLine], bool]:
        """The lines, and whether they are all that there are. What is known from the last screens is not read again."""
        height, width = pixels.shape[:2]
        if min(height, width) < _MIN_SIDE_PX:
            return [], True
        scale = min(1.0, _DETECTOR_SHORT_SIDE_PX / min(height, width))
        rows = to_rows(pixels)
        recalled = self._seen.recall(rows)
        strips = to_strips(recalled.unread, height, grid=_DETECTOR_GRID_PX / scale)
        lines = [line for line in recalled.lines if not any(map(line.reaches_into, (one.unread for one in strips)))]
        for strip in strips:
            found, is_whole = self._read_strip(pixels, strip, scale, _MAX_LINES - len(lines))
            lines = [line for line in lines if not any(one.covers(line) for one in found)] + found
            if not is_whole:
                return lines, False
        self._seen.remember(rows, lines)
        return lines, True

    def _read_strip(
        self, pixels: NDArray[np.uint8], strip: Strip, scale: float, max_lines: int
    ) -> tuple[list[FoundLine], bool]:
        """The lines that reach into its unread rows, and whether they are all that there are."""
        max_rows = max(1, int(_MAX_DETECTOR_PIXELS / (scale * scale * pixels.shape[1])))
        top, bottom = strip.rows
        lines: list[FoundLine] = []
        for first, end in to_bands(pixels[top:bottom], max_rows):
            corners, crops = self._find(pixels[top + first : top + end], scale)
            boxes = [FoundLine(np.add(box, (0, top + first)), "") for box in corners]
            wanted = [(box, crop) for box, crop in zip(boxes, crops, strict=True) if box.reaches_into(strip.unread)]
            num_left = max_lines - len(lines)
            words = self._recognize([crop for _, crop in wanted[:num_left]])
            lines += [replace(box, words=read) for (box, _), read in zip(wanted, words, strict=False)]
            if len(wanted) > num_left:
                return lines, False
        return lines, True

    def _find(self, band: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
        """Where words are, as corners (num_lines, 4, 2) in pixels of the band, and the lines themselves."""
        assert self._ocr.text_det is not None
        self._ocr.text_det.limit_side_len = round(max(band.shape) * scale)
        padding: dict[str, dict[str, int]] = {}
        try:
            # the library takes OpenCV's order of colours
            crops, found = self._ocr.detect_and_crop(np.ascontiguousarray(band[:, :, ::-1]), padding)
        except self._nothing_found:
            return np.zeros((0, 4, 2)), []
        margin = padding["padding_1"]
        return np.asarray(found.boxes, np.float64) - (margin["left"], margin["top"]), crops

    def _recognize(self, crops: list[NDArray[np.uint8]]) -> list[str]:
        """The words of each line; nothing where the model is not sure."""
        if not crops:
            return []
        cuts = [math.ceil(crop.shape[1] / crop.shape[0] / _MAX_LINE_SHAPE) for crop in crops]
        pieces = [piece for crop, num in zip(crops, cuts, strict=True) for piece in np.array_split(crop, num, axis=1)]
        read = self._ocr.recognize_txt(pieces)
        scored = zip(read.txts or (), read.scores, strict=True)
        sure = (words if score >= _MIN_SCORE else "" for words, score in scored)
        return [" ".join("".join(islice(sure, num)).split()) for num in cuts]


def _to_readable_size(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = min(
        _MAX_SHORT_SIDE_PX / min(height, width), _MAX_WIDTH_PX / width, math.sqrt(_MAX_PIXELS / (width * height))
    )
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.BOX))
