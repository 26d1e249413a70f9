"""Who asks, as far as sharing the engine goes: where a request comes from, and which of the clients there sent it.

Digests only: what a client calls himself may be long and personal. Nothing of it is logged.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from autoglm_phone.core.request import Client

_NAMED_BY = ("safety_identifier", "user")
_IPV6_SITE_BITS = 64  # one machine has as many addresses in it as it likes (RFC 8981)


def client_of(request: HTTPConnection, body: Mapping[str, Any]) -> Client:
    """The place is the peer's address; behind a proxy on this machine, what it says of its own peer.

    The name is what the body says, else the program, so that a page and a script on one machine are two clients.
    """
    given = (body.get(field) for field in _NAMED_BY)
    name = next((value for value in given if isinstance(value, str) and value), None)
    if name is None:
        name = request.headers.get("user-agent", "")
    return Client(_digest(_place(request.client.host) if request.client is not None else ""), _digest(name))


def _place(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a socket of the file system, or whatever a proxy has written
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _IPV6_SITE_BITS), strict=False))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
