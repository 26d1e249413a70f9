"""Transcripts without a speech module."""

from collections.abc import AsyncGenerator

from autoglm_phone.core.errors import MediaUndecodable
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, TranscriptEnd, Word


class TerseHearing:
    """Hears "Hello." in any sound of at least two bytes."""

    async def stream(
        self, sound: bytes, options: HearingOptions, *, param: str, client: Client
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        if len(sound) < 2:
            raise MediaUndecodable("not a sound", param=param)
        words = (Word(" Hello.", 0.5, 1.25, 0.75),)
        segment = Segment(" Hello.", 0.5, 1.25, (50364, 7), 0.0, 1.25, -0.25, 0.1, 1.5, words)
        yield Heard("en", (segment,), 3)
        yield TranscriptEnd(4.2, Digest("a" * 64), Digest("b" * 64), was_cached=False, seconds=1.0)
