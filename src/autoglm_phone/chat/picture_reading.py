"""PictureReading: what is read on one picture by itself, outside of any conversation."""

from typing import Protocol

from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.module import MediaDoor, MediaReading
from autoglm_phone.core.request import Client


class PictureObserver(Protocol):
    """Called on the event loop; must not block or raise."""

    def media_read(self, reading: MediaReading) -> None: ...


class PictureReading:
    """media None: no media module at all. A chat that sends the same picture later finds it read."""

    def __init__(self, media: MediaDoor | None, observer: PictureObserver) -> None:
        self._media, self._observer = media, observer

    async def read(self, picture: bytes, *, param: str, client: Client) -> MediaReading:
        """Raises RequestError or EngineError. Leaving the await gives up the wait."""
        if self._media is None or not self._media.has("vision"):
            raise UnsupportedModality(
                f"{param}: this server takes no pictures: its vision module is not loaded", param=param
            )
        reading = await self._media.read_image(picture, param=param, client=client)
        self._observer.media_read(reading)
        return reading
