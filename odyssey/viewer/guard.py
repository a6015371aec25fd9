"""Refuses requests of other sites, and of pages that pose as this one."""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; media-src 'self'; script-src 'self'; "
        "style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Checks the Host of each request (against DNS rebinding), and the origin of each POST.

    Args:
        host: The address that the server listens on.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.token = secrets.token_urlsafe(24)

    def install(self, app: Flask) -> None:
        app.before_request(self._check)
        app.after_request(_protect)

    def _check(self) -> None:
        if not self._is_ours(request.headers.get("Host", "")):
            abort(403, "This page is served under another name: use the address that was printed.")
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and (
            request.method == "POST" or request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            abort(403, "Requests of other sites are refused.")
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.headers['Host']}":
            abort(403, "Requests of other sites are refused.")
        token = request.headers.get("X-Viewer-Token", "")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            abort(403, "This page is of an earlier start of the viewer: load it again.")

    def _is_ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if port != self._port:
            return False
        if name in ("127.0.0.1", "localhost", "::1", self._host):
            return True
        # Rebinding needs a name: an address in figures is the one that somebody typed.
        return self._host in ("0.0.0.0", "::") and _is_address(name)  # noqa: S104 - compared


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response
