"""The voices that come with the program, and which of them a name and a language mean.

Each style is (510, 256) float16, a row for every number of symbols, out of the package kokoro-js 1.2.1 (Apache-2.0),
rounded to half precision.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.voice import Voice

STYLES = Path(__file__).parent / "styles"
STYLE_ROWS, STYLE_WIDTH = 510, 256

Language = Literal["en", "zh"]

VOICES = (
    Voice("af_heart", ("en", "zh"), "Heart, a woman from America"),
    Voice("am_michael", ("en", "zh"), "Michael, a man from America"),
    Voice("zf_xiaoxiao", ("zh", "en"), "晓晓, a woman from China"),
    Voice("zm_yunxi", ("zh", "en"), "云希, a man from China"),
)
_WOMEN: dict[Language, str] = {"en": "af_heart", "zh": "zf_xiaoxiao"}
_MEN: dict[Language, str] = {"en": "am_michael", "zh": "zm_yunxi"}

# OpenAI's names, which many clients send; each speaks the language of the text.
_OPENAI_WOMEN = ("alloy", "coral", "marin", "nova", "sage", "shimmer")
_OPENAI_MEN = ("ash", "ballad", "cedar", "echo", "fable", "onyx", "verse")


def voice_for(name: str, language: Language) -> str:
    """Raises InvalidRequest for a name that means none."""
    if name in {voice.id for voice in VOICES}:
        return name
    if name == "" or name in _OPENAI_WOMEN:
        return _WOMEN[language]
    if name in _OPENAI_MEN:
        return _MEN[language]
    known = ", ".join((*(voice.id for voice in VOICES), *_OPENAI_WOMEN, *_OPENAI_MEN))
    raise InvalidRequest(f"`voice`: there is no voice {name[:60]!r}; known: {known}", param="voice")


def load_style(voice: str) -> NDArray[np.float32]:
    style = np.fromfile(STYLES / f"{voice}.f16", "<f2").reshape(STYLE_ROWS, STYLE_WIDTH)
    return style.astype(np.float32)
