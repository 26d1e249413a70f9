"""Where a picture or a sound comes from: base64, a data URI, or an address, to bytes. Never a file."""

import binascii
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from autoglm_phone.core.errors import InvalidRequest, MediaTooLarge, MediaUndecodable
from autoglm_phone.server.services import FetchMedia


@dataclass
class MediaSources:
    """Loads the media of one request and keeps it within its limits; fetched bytes count as if they had been sent."""

    fetch: FetchMedia
    allow_urls: bool
    max_parts: int
    max_fetched_bytes: int
    num_parts: int = 0
    fetched_bytes: int = 0

    async def load(self, source: str, *, param: str, is_base64: bool = False) -> bytes:
        """is_base64: what is neither a data URI nor an address is taken for bare base64."""
        self.num_parts += 1
        if self.num_parts > self.max_parts:
            raise MediaTooLarge(f"a request may hold {self.max_parts} pictures and sounds", param=param)
        scheme = source[:8].partition(":")[0].strip().lower()
        if scheme == "data":
            data = _decode_data_uri(source, param)
        elif scheme in ("http", "https"):
            data = await self._fetch(source, param)
        elif is_base64:
            data = _decode_base64(source, param)
        else:
            raise InvalidRequest(
                f"{param}: the address must be a data URI or begin with https:// or http://", param=param
            )
        if not data:
            raise MediaUndecodable(f"{param}: it is empty", param=param)
        return data

    async def _fetch(self, url: str, param: str) -> bytes:
        if not self.allow_urls:
            raise InvalidRequest(
                f"{param}: this server fetches nothing from the network; send a data URI, "
                "or start it with --allow-media-urls",
                param=param,
            )
        data = await self.fetch(url, param=param)
        self.fetched_bytes += len(data)
        if self.fetched_bytes > self.max_fetched_bytes:
            raise MediaTooLarge(f"{param}: more than {self.max_fetched_bytes} bytes were fetched", param=param)
        return data


def _decode_data_uri(uri: str, param: str) -> bytes:
    """RFC 2397."""
    head, comma, body = uri.partition(",")
    if not comma:
        raise MediaUndecodable(f"{param}: the data URI has no comma before its data", param=param)
    if head.rstrip().lower().endswith(";base64"):
        return _decode_base64(body, param)
    return unquote_to_bytes(body)


def _decode_base64(text: str, param: str) -> bytes:
    """Line breaks are allowed and the padding may be missing, as many encoders write it; nothing else is forgiven."""
    compact = "".join(text.split())
    if "%" in compact[-12:]:  # a browser's URL encoding of the padding
        compact = compact.replace("%3D", "=").replace("%3d", "=")
    try:
        return binascii.a2b_base64(compact + "=" * (-len(compact) % 4), strict_mode=True)
    except ValueError as error:  # binascii.Error, or characters beyond ASCII
        raise MediaUndecodable(f"{param}: not valid base64: {error}", param=param) from None
