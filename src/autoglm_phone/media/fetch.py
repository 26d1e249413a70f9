"""Where media come from: `data:` URIs, and http(s) addresses that belong to everybody if the server allows them.

The one place that connects outwards on a client's word. What is checked is the address that is connected to: a name
is resolved once, every answer is checked, and the socket goes to a checked answer, at every redirect anew.
"""

import asyncio
import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import httpcore

from autoglm_phone.core.errors import InvalidRequest, MediaTooLarge
from autoglm_phone.media.data_uri import decode_data_uri
from autoglm_phone.media.public_address import IPAddress, is_public_address

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 3986: what may stand in a path and a query as it is; everything else is percent-encoded
_URL_CHARACTERS = "!$&'()*+,;=:@/?%-._~"


async def resolve_name(host: str, port: int) -> list[IPAddress]:
    """Every address the system's resolver has for the name. Raises OSError if there is none."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(answer[4][0]) for answer in answers]


@dataclass(frozen=True)
class FetchPolicy:
    """timeout_s bounds the whole fetch with its redirects. Tests give their own check, resolver and certificates."""

    allow_urls: bool = False
    max_bytes: int = 32 * 1024 * 1024
    timeout_s: float = 15.0
    max_redirects: int = 3
    is_allowed: Callable[[IPAddress], bool] = is_public_address
    resolve: Callable[[str, int], Awaitable[list[IPAddress]]] = resolve_name
    ssl_context: ssl.SSLContext | None = None


async def fetch_media(url: str, *, policy: FetchPolicy, param: str) -> bytes:
    """The bytes behind a `data:`, http or https URL.

    Raises InvalidRequest for a URL that is refused or does not answer, MediaTooLarge past policy.max_bytes,
    MediaUndecodable for a broken data: URI.
    """
    if url[:5].lower() == "data:":
        return decode_data_uri(url, max_bytes=policy.max_bytes, param=param)
    target = _parse(url, param)
    if not policy.allow_urls:
        raise InvalidRequest(
            f"{param}: this server fetches no URLs; send the file as data:<type>;base64,... "
            "or start the server with --allow-media-urls",
            param=param,
        )
    try:
        async with asyncio.timeout(policy.timeout_s):
            return await _fetch(target, policy, param)
    except TimeoutError as error:
        raise InvalidRequest(
            f"{param}: {target.host} did not send the file within {policy.timeout_s:g} s; send it as a data: URI",
            param=param,
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        raise InvalidRequest(
            f"{param}: the file could not be fetched from {target.host} ({error or type(error).__name__}); "
            "check the URL or send the file as a data: URI",
            param=param,
        ) from error


@dataclass(frozen=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> httpcore.URL:
        return httpcore.URL(scheme=self.scheme, host=self.host, port=self.port, target=self.path)

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"


def _parse(url: str, param: str) -> _Target:
    try:
        parts = urllib.parse.urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:  # UnicodeError of a name that is none is one, too
        raise InvalidRequest(f"{param}: not a URL ({error}); send an http(s) or a data: URL", param=param) from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidRequest(
            f"{param}: URLs of scheme {parts.scheme[:20]!r} are not supported; send data:, http: or https:", param=param
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(f"{param}: the URL holds a user name or password; send one without", param=param)
    if not host or any(character <= " " or character in "/\\?#@" for character in host):
        raise InvalidRequest(f"{param}: the URL has no usable host; send an http(s) or a data: URL", param=param)
    path = urllib.parse.quote(parts.path or "/", safe=_URL_CHARACTERS)
    query = f"?{urllib.parse.quote(parts.query, safe=_URL_CHARACTERS)}" if parts.query else ""
    return _Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path + query)


async def _fetch(target: _Target, policy: FetchPolicy, param: str) -> bytes:
    for _ in range(policy.max_redirects + 1):
        answer = await _get(target, policy, param)
        if isinstance(answer, bytes):
            return answer
        target = answer
    raise InvalidRequest(
        f"{param}: more than {policy.max_redirects} redirects; send the final URL or a data: URI", param=param
    )


async def _get(target: _Target, policy: FetchPolicy, param: str) -> bytes | _Target:
    """The body, or where the server says it is."""
    # identity: a compressed body could be small on the wire and huge in memory
    headers = [("Host", target.host_header), ("Accept-Encoding", "identity"), ("User-Agent", "autoglm-phone")]
    backend = _CheckedBackend(policy, param)
    # httpcore, not httpx: it takes no proxy from the environment, and its network backend is a public door
    async with (
        httpcore.AsyncConnectionPool(network_backend=backend, ssl_context=policy.ssl_context) as pool,
        pool.stream("GET", target.url, headers=headers) as response,
    ):
        answer_headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS and (location := answer_headers.get(b"location")):
            try:
                return _parse(urllib.parse.urljoin(str(target), location), param)
            except ValueError as error:
                raise InvalidRequest(f"{param}: {target.host} redirects to no URL", param=param) from error
        if response.status != 200:
            raise InvalidRequest(
                f"{param}: {target.host} answered with status {response.status}; check the URL", param=param
            )
        if answer_headers.get(b"content-encoding", "identity").lower() != "identity":
            raise InvalidRequest(f"{param}: {target.host} sends the file compressed although asked not to", param=param)
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > policy.max_bytes:
                raise MediaTooLarge(
                    f"{param}: the file at {target.host} is larger than the limit of {policy.max_bytes} bytes; "
                    "send a smaller one or raise the server's limit",
                    param=param,
                )
        return bytes(body)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to no address that the policy does not allow."""

    def __init__(self, policy: FetchPolicy, param: str) -> None:
        self._policy = policy
        self._param = param
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._policy.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("its name has no address") from error
        # all of them: a name that answers with one public and one private address is an attack, not a mistake
        if not addresses or not all(map(self._policy.is_allowed, addresses)):
            raise InvalidRequest(
                f"{self._param}: {host} is not an address of the public internet; send the file as a data: URI",
                param=self._param,
            )
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        assert failure is not None
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("local sockets are never connected to")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)
