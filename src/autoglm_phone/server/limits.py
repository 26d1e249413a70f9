"""What is checked before a route sees a request: where it comes from, its key, and the size of its body. Pure ASGI."""

import asyncio
import base64
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from autoglm_phone.core.errors import Forbidden, Overloaded, RequestError, Unauthorized
from autoglm_phone.server.config import ServerConfig, is_loopback_host
from autoglm_phone.server.errors import BodyTooLarge, BodyTooSlow, ForeignOrigin, error_response

# How much longer a client that sends too much is listened to, so that it sees the answer.
_LINGER_S = 3.0
_LINGER_BYTES = 64 << 20
_MODULES = "/v1/modules/"
_CHANGING = frozenset({"POST", "DELETE"})
_NEED_KEY = frozenset({"/metrics", "/tokenize", "/detokenize", "/apply-template", "/props"})


class OriginCheck:
    """Keeps web pages of other sites away from a server that is meant for this machine alone.

    A page may resolve its own name to 127.0.0.1 (DNS rebinding: the Host header gives it away) or post blindly to
    a local port (the Origin header does). A server on a public address leaves both to its proxy, unless names are set:
    in a container it listens on all addresses, and its port may still be published on this machine alone.
    A page may open a WebSocket to anywhere and read from it, so there an Origin must always be the Host.
    """

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app = app
        self._is_open = "*" in config.allowed_hosts or not (config.is_loopback or config.allowed_hosts)
        self._hosts = {host.lower() for host in (config.host, *config.allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (error := self._fault(scope)) is not None:
            await refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fault(self, scope: Scope) -> ForeignOrigin | None:
        if scope["type"] not in ("http", "websocket"):
            return None
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "localhost"), headers.get("origin")
        if not self._is_open:
            # A Host header is taken apart like an address; HTTP/1.0 clients may send none.
            for name, address in (("Host", f"//{host}"), ("Origin", origin)):
                if address is not None and not self._is_ours(address):
                    shown = address.removeprefix("//")[:100]
                    return ForeignOrigin(f"{name} {shown!r} is not this machine; --allowed-hosts lets other names in")
        elif scope["type"] == "websocket" and origin is not None and urlsplit(origin).netloc != host:
            return ForeignOrigin(f"Origin {origin[:100]!r} is not the Host {host[:100]!r}; use this server's own page")
        return None

    def _is_ours(self, address: str) -> bool:
        try:
            host = urlsplit(address).hostname
        except ValueError:
            return False
        return host is not None and (host in self._hosts or is_loopback_host(host))


class KeyCheck:
    """`Authorization: Bearer KEY` on everything but the page and /health.

    A browser can set no header of a WebSocket; as for OpenAI, the key may stand among its subprotocols there.
    What changes the server itself asks for the admin key, and is closed to everybody if there is none.
    """

    def __init__(self, app: ASGIApp, api_key: str | None, admin_key: str | None) -> None:
        self._app = app
        self._api_keys = [key.encode() for key in (api_key, admin_key) if key is not None] if api_key else []
        self._admin_keys = [admin_key.encode()] if admin_key is not None else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._error(scope)
        if error is None:
            await self._app(scope, receive, send)
        else:
            await refuse(error, scope, receive, send)

    def _error(self, scope: Scope) -> RequestError | None:
        if scope["type"] == "http" and _is_admin(scope):
            if not self._admin_keys:
                return Forbidden("modules are loaded and unloaded on a server that was started with --admin-key only")
            if not _brings(scope, self._admin_keys):
                return Unauthorized("the admin key is missing or wrong; send it as `Authorization: Bearer KEY`")
        elif self._api_keys and _is_locked(scope) and not _brings(scope, self._api_keys):
            return Unauthorized("the API key is missing or wrong; send it as `Authorization: Bearer KEY`")
        return None


class BodyLimit:
    """Reads the body for the routes: counted as it comes, whatever Content-Length says, and not for ever.

    The bodies of all requests that are being read or answered may have max_open_bytes together.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_open_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_open_bytes = max_open_bytes
        self._timeout_s = timeout_s
        self._open_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body()
        try:
            if await self._has_read(scope, receive, send, body):
                await self._app(scope, _replay(body.chunks, receive), send)
        finally:
            self._open_bytes -= body.num_bytes

    async def _has_read(self, scope: Scope, receive: Receive, send: Send, body: "_Body") -> bool:
        """False if the client was refused, or has left."""
        try:
            length = _header(scope, b"content-length")
            if length.isdigit() and int(length) > self._max_bytes:
                raise self._too_large()
            return await self._read(receive, body)
        except RequestError as error:
            await self._refuse(error, receive, send)
            return False

    async def _read(self, receive: Receive, body: "_Body") -> bool:
        """False if the client has left in the middle."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return False
                    self._take(message.get("body", b""), body)
                    if not message.get("more_body", False):
                        return True
        except TimeoutError:
            raise BodyTooSlow(f"the body did not arrive within {self._timeout_s:g} s") from None

    def _take(self, chunk: bytes, body: "_Body") -> None:
        if body.num_bytes + len(chunk) > self._max_bytes:
            raise self._too_large()
        others_bytes = self._open_bytes - body.num_bytes
        if others_bytes > 0 and self._open_bytes + len(chunk) > self._max_open_bytes:
            raise Overloaded(f"{self._open_bytes} bytes of requests are being answered; try again")
        body.chunks.append(chunk)
        body.num_bytes += len(chunk)
        self._open_bytes += len(chunk)

    async def _refuse(self, error: RequestError, receive: Receive, send: Send) -> None:
        """Answer, swallow some more of the body, close.

        Who closes on a client that is still sending resets the connection, and the client may never see the answer;
        who reads for ever serves an attacker.
        """
        response = error_response(error)
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [*response.raw_headers, (b"connection", b"close")],
            }
        )
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        if isinstance(error, BodyTooLarge):
            await _swallow(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is over the limit of {self._max_bytes} bytes; --max-body-bytes raises it")


async def _swallow(receive: Receive) -> None:
    num_bytes = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while num_bytes <= _LINGER_BYTES and (message := await receive()).get("more_body", False):
                num_bytes += len(message.get("body", b""))


@dataclass
class _Body:
    chunks: list[bytes] = field(default_factory=list)
    num_bytes: int = 0


def _replay(chunks: list[bytes], receive: Receive) -> Receive:
    """Give the body once and keep nothing of it; what follows is the hang-up."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        body = b"".join(chunks)
        chunks.clear()
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def refuse(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for a request or, before it is opened, a WebSocket."""
    response = error_response(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _given_key(scope: Scope) -> bytes:
    scheme, _, given = _header(scope, b"authorization").partition(b" ")
    if scheme.lower() == b"bearer":
        return given.strip()
    for offered in scope.get("subprotocols", ()):
        name, _, key = offered.partition(".")
        if name == "openai-insecure-api-key":
            return str(key).encode()
        if name == "autoglm-api-key":
            return _unpacked(str(key))
    return b""


def _unpacked(key: str) -> bytes:
    """Base64 for URLs without padding: subprotocols take few characters."""
    with suppress(ValueError):
        return base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    return b""


def _is_admin(scope: Scope) -> bool:
    return scope["method"] in _CHANGING and scope["path"].startswith(_MODULES)


def _is_locked(scope: Scope) -> bool:
    return scope["type"] in ("http", "websocket") and _needs_key(scope["path"])


def _brings(scope: Scope, keys: Sequence[bytes]) -> bool:
    given = _given_key(scope)
    # In constant time, so that a wrong key does not tell how much of it is right.
    is_right = [hmac.compare_digest(given, key) for key in keys]
    return any(is_right)


def _needs_key(path: str) -> bool:
    return path.startswith("/v1") or path in _NEED_KEY


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
