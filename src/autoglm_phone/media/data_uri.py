"""Media that stand in the request itself: `data:` URIs (RFC 2397) and plain base64; sized before they are decoded."""

import base64
import binascii
import re
import urllib.parse

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable

_WHITESPACE = re.compile(r"\s+")
_TO_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def decode_base64(text: str, *, max_bytes: int, param: str) -> bytes:
    """Both alphabets of RFC 4648, with or without padding; line breaks are left out."""
    # `=` and line breaks make this a bound from above: a text that passes may still be a little smaller
    _check_size(len(text) * 3 // 4, max_bytes + max_bytes // 16 + 3, max_bytes, param)
    try:
        data = _decode(text)
    except (binascii.Error, ValueError) as error:
        raise MediaUndecodable(
            f"{param}: the {len(text)} characters are not base64 ({error}); send the file's bytes in base64",
            param=param,
        ) from error
    _check_size(len(data), max_bytes, max_bytes, param)
    return data


def _decode(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)  # as nearly everybody sends it, and 8 times as fast
    except (binascii.Error, ValueError):
        digits = _WHITESPACE.sub("", text).translate(_TO_STANDARD_ALPHABET).rstrip("=")
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def decode_data_uri(uri: str, *, max_bytes: int, param: str) -> bytes:
    """The body of `data:[type][;base64],body`; the declared type is not asked, the bytes tell what they are."""
    head, comma, body = uri.partition(",")
    if not comma:
        raise MediaUndecodable(
            f"{param}: the data: URI has no comma; send data:<type>;base64,<the file's bytes in base64>", param=param
        )
    is_base64 = head.lower().replace(" ", "").endswith(";base64")
    # three characters a byte at most; base64 percent-encoded throughout would take four
    _check_size(len(body), 4 * max_bytes + 64, max_bytes, param)
    if is_base64:
        text = urllib.parse.unquote(body, errors="replace") if "%" in body else body
        return decode_base64(text, max_bytes=max_bytes, param=param)
    data = urllib.parse.unquote_to_bytes(body)
    _check_size(len(data), max_bytes, max_bytes, param)
    return data


def _check_size(size_bytes: int, ceiling_bytes: int, max_bytes: int, param: str) -> None:
    if size_bytes > ceiling_bytes:
        raise MediaTooLarge(
            f"{param}: about {size_bytes} bytes of media, the limit is {max_bytes}; "
            "send a smaller file or raise the server's limit",
            param=param,
        )
