"""Origins of addresses: what may be sent where."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

import attrs

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@attrs.frozen
class Origin:
    """Scheme, host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """The origin of an http(s) or ws(s) address.

        None where there is none, and for what readers of addresses don't agree on, such as a host
        behind a backslash or an `@`.
        """
        parts = _split(url)
        if parts is None or parts.scheme not in _PORTS or not parts.hostname:
            return None
        return cls(parts.scheme, parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme])

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    @property
    def is_encrypted(self) -> bool:
        return self.scheme in ("https", "wss")


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine."""
    origin = Origin.of(url)
    return origin is not None and origin.is_loopback


def resolved(base: str, location: str) -> str | None:
    """The http(s) address that an answer of `base` names in `Location`.

    None if it names none, or one that is not encrypted although `base` is.
    """
    try:
        # Headers are read as Latin-1; what isn't ASCII in an address is UTF-8.
        url = urljoin(base, location.encode("latin-1").decode())
    except ValueError:
        return None
    here, there = Origin.of(base), Origin.of(url)
    if there is None or there.scheme not in ("http", "https"):
        return None
    return None if here is not None and here.is_encrypted and not there.is_encrypted else url


def _split(url: str) -> SplitResult | None:
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        return None
    try:
        parts = urlsplit(url)
        unusable = "@" in parts.netloc or parts.port == 0
    except ValueError:
        return None
    return None if unusable else parts
