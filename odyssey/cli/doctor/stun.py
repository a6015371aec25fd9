"""Whether UDP gets to a STUN or TURN server and back."""

from __future__ import annotations

import re
import socket
import time

#: Seconds to wait for an answer before the request is sent again.
_TRIES = (0.4, 0.8, 1.2)
_URL = re.compile(
    r"(?P<kind>stun|turn):(?P<host>\[[^\]]+\]|[^:?]+)(:(?P<port>\d+))?"
    r"(\?transport=(?P<transport>\w+))?",
    re.IGNORECASE,
)
_PORT = 3478


def udp_address(url: str) -> tuple[str, int] | None:
    """Returns host and port of an ICE server; None if it doesn't speak plain UDP."""
    found = _URL.fullmatch(url)
    if found is None or (found["transport"] or "udp").lower() != "udp":
        return None
    return found["host"].strip("[]"), int(found["port"] or _PORT)


def ask(host: str, port: int) -> float | None:
    """Sends a STUN binding request; returns the milliseconds to its answer, or None."""
    from aioice import stun

    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[
            0
        ]
    except OSError:
        return None
    with socket.socket(family, kind, protocol) as udp:
        for seconds in _TRIES:
            began = time.monotonic()
            try:
                udp.sendto(bytes(request), address)
                if _is_answered(udp, request.transaction_id, began + seconds):
                    return (time.monotonic() - began) * 1000
            except OSError:  # such as: the port is closed, or there is no way there
                continue
    return None


def _is_answered(udp: socket.socket, transaction: bytes, until: float) -> bool:
    from aioice import stun

    while (left := until - time.monotonic()) > 0:
        udp.settimeout(left)
        data, _ = udp.recvfrom(2048)
        try:
            if stun.parse_message(data).transaction_id == transaction:
                return True
        except ValueError:
            continue
    return False
