"""A WHEP session over HTTP: an offer joins it, a DELETE leaves it."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit, urlunsplit

import attrs

from odyssey._checks import check_text
from odyssey._live.provisioning import IceServer, ice_servers
from odyssey._logging import Secret, hidden, shown_url, shown_wrong_url
from odyssey._rest.answer import Answer, raise_for_status
from odyssey._rest.client import MOST_REDIRECTS, HttpClient
from odyssey._rest.origins import Origin, resolved
from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyAuthError, OdysseyError, OdysseyServerError

logger = logging.getLogger(__name__)

_SDP = "application/sdp"
_OPERATION = "could not watch the stream"


@attrs.frozen
class WhepAddress:
    """The address of a broadcast, and its spectator token.

    Raises:
        ValueError, TypeError: The address or the token is not valid; the text says why.
    """

    url: str = attrs.field(repr=shown_url)
    token: Secret = attrs.field(converter=hidden)

    @url.validator
    def _check_url(self, _: object, value: object) -> None:
        text = check_text(value, "webrtc_url")
        origin = Origin.of(text)
        if origin is None or origin.scheme not in ("http", "https") or "#" in text:
            raise ValueError(
                "webrtc_url must be the http:// or https:// address of a broadcast "
                f"(BroadcastInfo.webrtc_url), not {shown_wrong_url(text)}"
            )

    @token.validator
    def _check_token(self, _: object, value: object) -> None:
        if not isinstance(value, Secret):
            raise TypeError(f"spectator_token must be a str, not {type(value).__name__}")
        if value == Secret("") or not value.is_one_word:
            raise ValueError(
                "spectator_token must be the token of a broadcast (BroadcastInfo.spectator_token); "
                "it is empty, or has white space or control characters in it"
            )

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def endpoint(self) -> str:
        """The URL to post an offer to, without the token."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/") + "/whep"
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


class WhepSession:
    """The HTTP requests for watching one broadcast. They block, in the caller's thread."""

    def __init__(self, address: WhepAddress) -> None:
        self.address = address
        self._http = HttpClient(address.origin, _no_key)
        self._location: Secret | None = None

    def ice_servers(self, deadline: Deadline) -> list[IceServer]:
        """Gets the service's ICE servers; an empty list if that fails."""
        return ice_servers(self._http, self.address.origin, deadline)

    def join(self, offer: str, deadline: Deadline) -> str:
        """Sends the offer, and returns the SDP of the answer.

        Raises:
            OdysseyAuthError: The token was refused.
            OdysseyNotFoundError: There is no such stream.
            OdysseyAPIError, OdysseyUsageError, OdysseyConnectionError: It failed for another
                reason.
        """
        answer = self._post(offer.encode(), deadline).without(self.address.token)
        if answer.status in (401, 403):
            raise OdysseyAuthError(
                f"{_OPERATION}: the spectator token was refused (HTTP {answer.status}); it is "
                "valid for one broadcast, until that ends",
                status=answer.status,
            )
        raise_for_status(answer, _OPERATION)
        self._location = self._named(answer)
        sdp = answer.body.decode("utf-8", "replace")
        if not sdp.startswith("v=0"):
            raise OdysseyServerError(
                f"{_OPERATION}: the answer is not SDP (HTTP {answer.status}, "
                f"{answer.headers.get('Content-Type', 'no content type')})",
                status=answer.status,
            )
        return sdp

    def _post(self, offer: bytes, deadline: Deadline) -> Answer:
        """Sends the offer; a redirect to elsewhere on the same origin is followed."""
        url: str | Secret = self.address.endpoint
        params = {"token": self.address.token}
        for _ in range(MOST_REDIRECTS):
            answer = self._http.request(
                *("POST", url, deadline, _OPERATION),
                params=params,
                data=offer,
                headers={"Content-Type": _SDP, "Accept": _SDP},
            )
            moved = self._named(answer) if answer.status in (307, 308) else None
            if moved is None:
                break
            url, params = moved, {}
        return answer

    def _named(self, answer: Answer) -> Secret | None:
        """The address in the answer's `Location`, if it has the endpoint's origin: what is asked of
        any other address would reach the inside of this network.
        """
        location = answer.headers.get("Location")
        url = resolved(answer.url, location) if location else None
        if url is None or Origin.of(url) != Origin.of(self.address.origin):
            return None
        return Secret(url)

    def leave(self, deadline: Deadline) -> None:
        """Ends the session at the service, if there is one. Idempotent; never raises."""
        location, self._location = self._location, None
        if location is None:
            return
        try:
            answer = self._http.request("DELETE", location, deadline, "could not leave the stream")
            logger.debug("left the stream: HTTP %d", answer.status)
        except (OdysseyError, ValueError) as exc:
            logger.debug("%s", exc)

    def forget(self) -> None:
        """Notes that the service has ended the session itself."""
        self._location = None

    def close(self) -> None:
        self._http.close()


def _no_key() -> Secret:
    raise AssertionError("watching takes no API key")
