"""Keeping messages out of private networks: a project's admin chooses the address, but the operator's host sends there.

A name is resolved once, every address that it has must be public, and the connection goes to one of these very
addresses: a name that leads elsewhere a moment later changes nothing. Addresses that carry another one (IPv4 in IPv6,
6to4, Teredo, NAT64) are judged by that too.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64, _COMPATIBLE = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


class PrivateAddressError(Exception):
    """A message would go to an address that is not public."""

    def __init__(self, host: str, address: str) -> None:
        leads = "is" if host == address else f"leads to {address},"
        super().__init__(f"{host} {leads} not a public address; the operator may allow it with TURRET_ALERTS_PRIVATE=1")


def is_public(text: str) -> bool:
    """Tell whether an address, as `getaddrinfo` gives it, is of the public internet, and no group's."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64):
        return False
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in _carried(address))


def _carried(address: Address) -> list[Address]:
    """Return the address, or those that it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _COMPATIBLE or address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    inner: list[Address] = [address.sixtofour] if address.sixtofour is not None else []
    return [address, *inner, *(address.teredo or ())]


def resolve(host: str, port: int, *, private: bool) -> Sequence[tuple[socket.AddressFamily, str]]:
    """Return the addresses of `host`, in the system's order; raise `PrivateAddressError`, or `OSError`.

    private: whether any address will do.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host[:80]!r} is not the name of a host") from None
    addresses = [(family, str(place[0])) for family, _, _, _, place in found]
    for _, address in addresses:
        if not private and not is_public(address):
            raise PrivateAddressError(host, address)
    return addresses


def refuse_private_literal(host: str) -> None:
    """Raise `PrivateAddressError` where `host` is written as an address, in any way, that is not public."""
    if host.rstrip(".").lower() in ("localhost", "localhost.localdomain") or host.lower().endswith(".localhost"):
        raise PrivateAddressError(host, host)
    with contextlib.suppress(OSError, UnicodeError):
        # Also what is no address to `ipaddress`, but to the system: 127.1, 0x7f000001, 2130706433.
        for *_, place in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST):
            if not is_public(str(place[0])):
                raise PrivateAddressError(host, str(place[0]))
