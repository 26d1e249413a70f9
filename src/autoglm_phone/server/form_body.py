"""Bytes of a multipart form to its fields and its one file, in memory, within limits."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from autoglm_phone.core.errors import InvalidRequest

MAX_FIELDS = 64
MAX_FIELD_BYTES = 64 << 10
_MAX_SHOWN_CHARS = 60
# The parser runs on the event loop; it steps aside after each slice, so that streams go on.
_SLICE_BYTES = 64 << 10


@dataclass(frozen=True)
class Form:
    """fields: every value of each name, in order. files: by the name of their field; one at most."""

    fields: dict[str, list[str]]
    files: dict[str, bytes]


async def parse_form(headers: Headers, body: AsyncIterator[bytes]) -> Form:
    """Raises InvalidRequest for anything but multipart/form-data (RFC 7578) within the limits.

    How large a body may be is checked before.
    """
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        shown = kind.decode("latin-1")[:_MAX_SHOWN_CHARS] or "bytes without a content-type"
        raise InvalidRequest(f"send a form as multipart/form-data, not as {shown}")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise InvalidRequest("malformed form: its content-type names no boundary")
    parts = _Parts()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_headers_finished": parts.headers_end,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_end": parts.end_all,
            },
        )
        async for chunk in body:
            for start in range(0, len(chunk), _SLICE_BYTES):
                parser.write(chunk[start : start + _SLICE_BYTES])
                await asyncio.sleep(0)
    except FormParserError as error:
        raise InvalidRequest(f"malformed form: {error}") from None
    if not parts.is_complete:
        raise InvalidRequest("malformed form: it ends before its last boundary")
    return parts.form


@dataclass
class _Parts:
    """The parser's callbacks: collect one part after the other."""

    form: Form = field(default_factory=lambda: Form({}, {}))
    is_complete: bool = False
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: bytes = b""
    _value: bytes = b""
    _name: str = ""
    _is_file: bool = False
    _data: bytearray = field(default_factory=bytearray)

    def begin(self) -> None:
        self._headers, self._data = {}, bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise InvalidRequest("malformed form: a part without a name in its content-disposition")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if self._is_file and self.form.files:
            raise InvalidRequest("the form holds more than one file", param=self._name[:_MAX_SHOWN_CHARS])
        if not self._is_file and sum(map(len, self.form.fields.values())) >= MAX_FIELDS:
            raise InvalidRequest(f"the form holds more than {MAX_FIELDS} fields")

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]
        if not self._is_file and len(self._data) > MAX_FIELD_BYTES:
            name = self._name[:_MAX_SHOWN_CHARS]
            raise InvalidRequest(f"`{name}`: longer than the limit of {MAX_FIELD_BYTES} bytes", param=name)

    def end(self) -> None:
        if self._is_file:
            self.form.files[self._name] = bytes(self._data)
            return
        try:
            self.form.fields.setdefault(self._name, []).append(self._data.decode("utf-8"))
        except UnicodeDecodeError:
            name = self._name[:_MAX_SHOWN_CHARS]
            raise InvalidRequest(f"`{name}`: not UTF-8", param=name) from None

    def end_all(self) -> None:
        self.is_complete = True
