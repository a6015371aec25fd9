"""Lets in who has the secret; refuses other users, other sites, and pages that pose as this one."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, make_response, redirect, render_template, request
from flask import url_for as address_of
from werkzeug.wrappers import Response as AnyResponse

from odyssey.viewer.neighbours import is_another_users

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

#: How long an invitation can be used: as long as a browser may take to start.
INVITATION_SECONDS = 60.0

_LOCKED = (
    "Only who started this viewer can use it. Open the address that it printed, all of it: "
    "it ends with the secret that lets this browser in."
)


class Guard:
    """Checks the Host of each request (against DNS rebinding), the secret, and a POST's origin.

    The secret comes with the printed address, which is answered with a cookie; from then on with
    that.

    Args:
        host: The address that the server listens on.
        port: Its port.

    Attributes:
        secret: What the printed address has.
        token: Of the pages; what a POST has to come with.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host.lower()
        self._port = port
        # Cookies are shared by all ports of a host: two viewers need two names.
        self._cookie = f"odyssey-viewer-{port}"
        self._invitation = ("", 0.0)
        self.secret = secrets.token_urlsafe(32)
        self.token = secrets.token_urlsafe(24)

    def install(self, app: Flask) -> None:
        app.before_request(self._check)
        app.after_request(_protect)
        app.context_processor(lambda: {"token": self.token if g.get("let_in") else None})

    def invite(self) -> str:
        """A secret that lets a program of this user in, once.

        For the address that a browser is started with: every user of the machine can read it in
        the list of processes.
        """
        invitation = secrets.token_urlsafe(32)
        self._invitation = (invitation, time.monotonic() + INVITATION_SECONDS)
        return invitation

    def _check(self) -> AnyResponse | None:
        if not self._is_ours(request.headers.get("Host", "")):
            abort(403, "This page is served under another name: use the address that was printed.")
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and (
            request.method == "POST" or request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            abort(403, "Requests of other sites are refused.")
        if request.endpoint == "static":  # the page that says what to do has its looks from there
            return None
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        given = request.args.get("token") if reads else None
        has_cookie = _is_same(request.cookies.get(self._cookie, ""), self.secret)
        if not has_cookie and not (given is not None and self._is_secret(given)):
            abort(403, _LOCKED)
        if given is not None:
            return self._let_in()
        g.let_in = True
        if not reads:
            self._check_post()
        return None

    def _is_secret(self, given: str) -> bool:
        if _is_same(given, self.secret):
            return True
        invitation, until = self._invitation
        if not invitation or not _is_same(given, invitation) or time.monotonic() > until:
            return False
        port = request.environ.get("REMOTE_PORT")
        if not isinstance(port, int) or is_another_users(port, self._port):
            return False
        self._invitation = ("", 0.0)
        return True

    def _let_in(self) -> AnyResponse:
        """Gives the cookie, and leads to the same page without the secret in its address."""
        others = {name: value for name, value in request.args.items() if name != "token"}
        page, fields = request.endpoint or "recordings", request.view_args or {}
        target = address_of(page, **{**others, **fields})
        response: AnyResponse
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # From a link on another site. A redirect would still count as begun by that site, and
            # come without the cookie; what a page of ours begins does not.
            response = make_response(render_template("welcome.html", target=target))
            response.headers["Refresh"] = f"0; url={target}"
        else:
            response = redirect(target, 303)
        response.set_cookie(self._cookie, self.secret, httponly=True, samesite="Strict")
        return response

    def _check_post(self) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.headers['Host']}":
            abort(403, "Requests of other sites are refused.")
        if not _is_same(request.headers.get("X-Viewer-Token", ""), self.token):
            abort(403, "This page is of an earlier start of the viewer: load it again.")
        if "Transfer-Encoding" in request.headers:
            abort(411)

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


def _is_same(given: str, secret: str) -> bool:
    """Compares in a time that says nothing of the secret."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


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
