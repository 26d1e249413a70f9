"""What stands in a message for its pictures and sounds, worded so that a small decoder uses it.

Tried on the 0.5B decoder: where nothing was read, a note in front of the question is ignored and an animal is made
up; the same as an instruction behind the question, in its language, is followed. Words in quotes with their place
behind them are told again far oftener than bare words behind their place, and taps find them more often. A head or a
system prompt that spells the form out ("as [x,y] words") is itself what is told (docs/performance.md).
"""

import re
from dataclasses import dataclass

from autoglm_phone.core.conversation import AudioPart, ImagePart, TextPart
from autoglm_phone.core.module import Reading

MediaPart = ImagePart | AudioPart
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class MediaText:
    """before stands in the medium's place, after at the end of its message; either may be empty."""

    before: str
    after: str = ""


def media_text(part: MediaPart, reading: Reading, number: int, *, in_chinese: bool) -> MediaText:
    """number counts pictures and sounds of the dialogue, each kind for itself."""
    text, summary = reading.text, reading.summary
    match part:
        case ImagePart() if text:
            head = f"[Picture {number}: {summary}. It shows these words, each with its place, x and y from 0 to 999:]"
            return MediaText(f"{head}\n{text}\n[End of picture {number}]")
        case ImagePart() if in_chinese:
            return MediaText(
                "", f"注意：附上的图片（{summary}）上没有可读的文字，你看不到它。请回答你看不到图片里的内容。"
            )
        case ImagePart():
            return MediaText(
                "",
                f"Note: the attached picture ({summary}) holds no readable text, so you cannot see it. "
                "Reply that you cannot see what is in the picture.",
            )
        case AudioPart() if text:
            return MediaText(f"[Sound {number}: {summary}. It says:]\n{text}\n[End of sound {number}]")
        case AudioPart() if in_chinese:
            return MediaText("", f"注意：附上的声音（{summary}）里没有人说话。请回答你没有听到说话声。")
        case AudioPart():
            return MediaText(
                "", f"Note: the attached sound ({summary}) holds no speech. Reply that you heard no speech."
            )


def is_chinese(parts: tuple[TextPart | MediaPart, ...]) -> bool:
    """Does the writer of this message use Chinese?"""
    return any(_CHINESE.search(part.text) for part in parts if isinstance(part, TextPart))
