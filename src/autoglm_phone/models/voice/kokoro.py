"""Speaks English and Chinese with Kokoro-82M on ONNX Runtime. For the voice process.

Source: github.com/hexgrad/kokoro (Apache-2.0); the graph is that of github.com/thewh1teagle/kokoro-onnx (MIT).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from autoglm_phone.core.voice import SpeakingOptions, Voice
from autoglm_phone.models.voice.english import Lexicon, english_phonemes, load_lexicon
from autoglm_phone.models.voice.mandarin import CHINESE, mandarin_runs
from autoglm_phone.models.voice.symbols import SYMBOLS
from autoglm_phone.models.voice.voices import STYLE_ROWS, VOICES, Language, load_style, voice_for
from autoglm_phone.text.sentence_splitter import SentenceSplitter
from autoglm_phone.text.speakable import speakable

ARCH = "kokoro"
# A style has rows for 510, but eight seconds of sound take a gigabyte, and nothing is heard before a piece is whole.
MAX_SYMBOLS = 150
assert MAX_SYMBOLS <= STYLE_ROWS
_CLAUSE_END = re.compile(r"[,;:—]\s")
_SPACE_BEFORE_MARK = re.compile(r"\s+([,.!?;:])")
MODEL_FILE, LEXICON_FILES = "kokoro-v1.0.int8.onnx", ("us_gold.json", "us_silver.json")


class Kokoro:
    """A Speaker. Not thread-safe. files: the model, and the two parts of the English dictionary."""

    voices: tuple[Voice, ...] = VOICES

    def __init__(self, model: Path, gold: Path, silver: Path, *, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # sentences differ in length, and it would keep the longest's memory
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._lexicon = load_lexicon(gold, silver)
        self._styles: dict[str, NDArray[np.float32]] = {}

    def check(self, options: SpeakingOptions) -> None:
        """Raises InvalidRequest."""
        voice_for(options.voice, "en")

    def speak(self, text: str, options: SpeakingOptions) -> Iterator[NDArray[np.int16]]:
        """Sentence by sentence, at VOICE_RATE; nothing where nothing can be said."""
        splitter = SentenceSplitter()
        for sentence in (*splitter.push(speakable(text)), *splitter.push("", final=True)):
            language: Language = "zh" if CHINESE.search(sentence) else "en"
            style = self._style(voice_for(options.voice, language))
            for symbols in batches(phonemes(sentence, self._lexicon)):
                yield self._sound(symbols, style, options.speed)

    def _sound(self, symbols: str, style: NDArray[np.float32], speed: float) -> NDArray[np.int16]:
        tokens = [SYMBOLS[symbol] for symbol in symbols]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[len(tokens) - 1 : len(tokens)],
            "speed": np.array([speed], np.float32),
        }
        levels = np.asarray(self._session.run(None, inputs)[0]).reshape(-1)
        result: NDArray[np.int16] = (np.clip(levels, -1, 1) * 32767).astype(np.int16)
        return result

    def _style(self, voice: str) -> NDArray[np.float32]:
        if voice not in self._styles:
            self._styles[voice] = load_style(voice)
        return self._styles[voice]


def phonemes(sentence: str, lexicon: Lexicon) -> str:
    """Chinese and English in one sentence are each said as such. Known symbols alone."""
    if CHINESE.search(sentence):
        runs = (run if is_chinese else english_phonemes(run, lexicon) for run, is_chinese in mandarin_runs(sentence))
        said = " ".join(runs)
    else:
        said = english_phonemes(sentence, lexicon)
    said = _SPACE_BEFORE_MARK.sub(r"\1", said)
    return "".join(symbol for symbol in said if symbol in SYMBOLS).strip()


def batches(symbols: str) -> Iterator[str]:
    """Pieces of MAX_SYMBOLS at most, cut behind a clause or else a word; nothing of what has no sound."""
    while symbols:
        cut = len(symbols)
        if cut > MAX_SYMBOLS:
            ends = [match.end() for match in _CLAUSE_END.finditer(symbols, MAX_SYMBOLS // 3, MAX_SYMBOLS)]
            cut = ends[-1] if ends else symbols.rfind(" ", 0, MAX_SYMBOLS) + 1 or MAX_SYMBOLS
        piece, symbols = symbols[:cut], symbols[cut:]
        if any(symbol.isalpha() for symbol in piece):
            yield piece.strip()
