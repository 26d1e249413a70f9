"""The media of one request, from what stands in it to bytes, within the limits of a request. Never a file."""

from dataclasses import dataclass

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable
from autoglm_phone.media.data_uri import decode_base64
from autoglm_phone.server.services import FetchMedia

_SCHEMES = ("data", "http", "https")


@dataclass
class MediaSources:
    """fetch loads URLs, `data:` among them. All media together may have max_bytes."""

    fetch: FetchMedia
    max_parts: int
    max_bytes: int
    num_parts: int = 0
    num_bytes: int = 0

    async def load(self, source: str, *, param: str, may_be_base64: bool = False) -> bytes:
        """may_be_base64: what does not begin as a URL is taken for bare base64."""
        self.num_parts += 1
        if self.num_parts > self.max_parts:
            raise MediaTooLarge(
                f"{param}: a request may hold {self.max_parts} pictures and sounds; send fewer", param=param
            )
        scheme, colon, _ = source[:8].partition(":")
        if may_be_base64 and not (colon and scheme.strip().lower() in _SCHEMES):
            data = decode_base64(source, max_bytes=self.max_bytes, param=param)
        else:
            data = await self.fetch(source, param=param)
        if not data:
            raise MediaUndecodable(f"{param}: it is empty; send the file's bytes", param=param)
        self.num_bytes += len(data)
        if self.num_bytes > self.max_bytes:
            raise MediaTooLarge(
                f"{param}: the pictures and sounds have more than {self.max_bytes} bytes together; send fewer",
                param=param,
            )
        return data
