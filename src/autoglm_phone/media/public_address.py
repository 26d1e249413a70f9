"""Which internet addresses belong to everybody. Pure; `fetch` connects to no other."""

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` follows the IANA registries of the Python release at hand; what must never be reached is named here,
# whatever the release thinks of it. IPv6: only global unicast, and none of the blocks that carry an IPv4 address.
_NEVER_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NEVER_V6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)


def is_public_address(address: IPAddress) -> bool:
    """False for private, loopback, link-local, shared, multicast and reserved addresses, and for IPv4 inside IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _NEVER_V4)
    return (
        address in _GLOBAL_UNICAST_V6
        and address.scope_id is None
        and address.is_global
        and not any(address in network for network in _NEVER_V6)
    )
