"""Gets a session from the REST API: regions, the queue, the session token, ICE servers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs

from odyssey._logging import shown_url, without_locals
from odyssey._rest.answer import Answer, raise_for_status
from odyssey._rest.client import HttpClient
from odyssey._rest.origins import Origin
from odyssey._runtime.deadline import Deadline
from odyssey.errors import OdysseyConnectionError, OdysseyError, OdysseyTimeoutError
from odyssey.models import ClientCredentials, StreamerCapabilities
from odyssey.models.fields import Fields, wrong_answer

logger = logging.getLogger(__name__)

#: Seconds to measure all regions in: it helps the service, but connecting works without it.
REGIONS_DEADLINE = 1.0
#: Regions that are measured: each takes a thread for a moment.
MOST_REGIONS = 32
#: Seconds to wait for the ICE configuration; without it connecting goes on.
CONFIG_DEADLINE = 3.0
#: Seconds between two requests for a free streamer.
QUEUE_INTERVAL = 1.0
#: Seconds for which a session can be connected to; the service keeps it for ten minutes.
GRANT_LIFE = 540.0


@attrs.frozen
class IceServer:
    """A STUN or TURN server that the service names."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Grant:
    """A session that the service granted; with a token one can connect to it.

    Attributes:
        expiry: When the service gives it to somebody else, if nobody connects until then.
    """

    session_id: str
    signaling_url: str
    capabilities: StreamerCapabilities | None
    expiry: Deadline = attrs.field(factory=lambda: Deadline.after(GRANT_LIFE))


def request_credentials(
    http: HttpClient,
    deadline: Deadline,
    queue_timeout: float | None,
    wait: Callable[[float], None],
) -> ClientCredentials:
    """Requests a session and its token; arguments as `request_session`."""
    return request_token(http, request_session(http, deadline, queue_timeout, wait), deadline)


def request_session(
    http: HttpClient,
    deadline: Deadline,
    queue_timeout: float | None,
    wait: Callable[[float], None],
    late: float = 0.0,
) -> Grant:
    """Requests a session.

    Args:
        queue_timeout: Seconds to wait for a free streamer; None for the deadline only.
        wait: Sleeps so many seconds between two requests for a streamer; it may raise to stop.
        late: Seconds after the deadline in which an answer that is on its way is still taken.
    """
    latencies = region_latencies(http, deadline)
    session = _request_session(http, latencies, deadline, queue_timeout, wait, late)
    capabilities = session.data.get("capabilities")
    return Grant(
        session.text("session_id"),
        session.text("signalling_url"),
        None if capabilities is None else StreamerCapabilities.from_json(capabilities),
    )


def request_token(http: HttpClient, grant: Grant, deadline: Deadline) -> ClientCredentials:
    """Requests the token that lets one connect to a session."""
    answer = http.post(
        "/sessions/token",
        {"session_id": grant.session_id},
        deadline,
        "could not get a session token",
        repeatable=True,
    )
    return _credentials(answer, grant)


@without_locals
def _credentials(answer: Answer, grant: Grant) -> ClientCredentials:
    token = Fields.read(answer.json("the session token"), "the session token")
    try:
        return ClientCredentials(
            signaling_url=grant.signaling_url,
            session_token=token.text("session_token"),
            expires_in=token.integer("expires_in", 600),
            capabilities=grant.capabilities,
        )
    except ValueError as exc:
        raise wrong_answer("the session token", str(exc)) from None


def region_latencies(http: HttpClient, deadline: Deadline) -> dict[str, int]:
    """Measures the milliseconds to each region; empty if that fails."""
    operation = "could not measure the regions"
    http.bearer(deadline)  # a refused key is told here, not taken for a missing region
    limit = deadline.sooner(REGIONS_DEADLINE)
    try:
        # One try: `get` would spend the second on retries.
        answer = http.get_once("/regions", limit, operation)
        fields = Fields.read(answer.json("the regions"), "the regions")
        regions = fields.items("regions", lambda r: Fields.read(r, "a region"))
        targets = {r.text("id"): r.text("ping_url") for r in regions[:MOST_REGIONS]}
        targets = {region: url for region, url in targets.items() if _may_ping(url, http.api_url)}
    except OdysseyError as exc:
        logger.debug("going on without regions: %s", exc)
        return {}
    return _ping_all(http, targets, limit)


def _may_ping(url: str, api_url: str) -> bool:
    """Whether an address is an https one, or the API's own: others may be this network's."""
    origin = Origin.of(url)
    return origin is not None and (origin.scheme == "https" or origin == Origin.of(api_url))


def _ping_all(http: HttpClient, targets: dict[str, str], limit: Deadline) -> dict[str, int]:
    """Pings all regions at once; one that is too slow is left behind in its daemon thread."""
    latencies: dict[str, int] = {}
    done = threading.Semaphore(0)

    def ping(region: str, url: str) -> None:
        began = time.monotonic()
        try:
            answer = http.request("GET", url, limit, f"could not ping region {region}")
            if answer.status < 300:
                latencies[region] = max(1, round((time.monotonic() - began) * 1000))
        except (OdysseyError, ValueError) as exc:
            logger.debug("region %r: %s", region, exc)
        finally:
            done.release()

    for region, url in targets.items():
        threading.Thread(target=ping, args=(region, url), name="odyssey-ping", daemon=True).start()
    for _ in targets:
        if not done.acquire(timeout=limit.remaining()):
            break
    return dict(latencies)


def _request_session(
    http: HttpClient,
    latencies: dict[str, int],
    deadline: Deadline,
    queue_timeout: float | None,
    wait: Callable[[float], None],
    late: float,
) -> Fields:
    """Asks until a streamer is free, or the time of the queue or of the call is over."""
    body: dict[str, Any] = {"region_latencies": latencies} if latencies else {}
    queue = deadline if queue_timeout is None else deadline.sooner(queue_timeout)
    operation = "could not get a session"
    while True:
        answer = http.post_raw("/sessions/request", body, deadline.later(late), operation)
        if answer.status != 503:
            raise_for_status(answer, operation)
            return Fields.read(answer.json("the session"), "the session")
        left = queue.remaining()
        if left is not None and left <= 0:
            raise _queue_over(deadline)
        logger.info("no streamer is free; asking again")
        wait(QUEUE_INTERVAL if left is None else min(QUEUE_INTERVAL, left))
        if deadline.passed():
            raise _queue_over(deadline)


def _queue_over(deadline: Deadline) -> OdysseyTimeoutError:
    if deadline.passed():
        return OdysseyTimeoutError(
            "no streamer became free within the call's time; try later, or pass a longer timeout"
        )
    return OdysseyTimeoutError(
        "no streamer became free within the queue timeout; try later, or pass a longer "
        "queue_timeout to Odyssey()"
    )


def ice_servers(http: HttpClient, base_url: str, deadline: Deadline) -> list[IceServer]:
    """Gets the servers that `{base_url}/config` names; empty if that fails."""
    limit = deadline.sooner(CONFIG_DEADLINE)
    try:
        answer: Answer = http.request(
            "GET", base_url.rstrip("/") + "/config", limit, "could not get the ICE servers"
        )
        raise_for_status(answer, "could not get the ICE servers")
        fields = Fields.read(answer.json("the ICE servers"), "the ICE servers")
        entries = fields.items("iceServers", lambda entry: entry)
    except OdysseyError as exc:
        logger.warning("going on without ICE servers: %s", exc)
        return []
    servers = []
    for entry in entries:
        try:
            servers.append(_ice_server(entry))
        except OdysseyError as exc:
            logger.warning("going on without one of the ICE servers: %s", exc)
    return servers


def _ice_server(value: object) -> IceServer:
    fields = Fields.read(value, "an ICE server")
    urls = fields.data.get("urls") or fields.data.get("url")
    listed = [urls] if isinstance(urls, str) else urls
    if not isinstance(listed, list) or not all(isinstance(u, str) for u in listed):
        raise wrong_answer("an ICE server", "'urls' should be a string or a list of strings")
    return IceServer(
        tuple(listed), fields.optional_text("username"), fields.optional_text("credential")
    )


@without_locals
def as_http(url: str) -> str:
    """Turns a signaling address into an http(s) one."""
    return _with_scheme(url, {"ws": "http", "wss": "https"})


@without_locals
def as_websocket(url: str) -> str:
    """Turns a signaling address into a ws(s) one."""
    return _with_scheme(url, {"http": "ws", "https": "wss"})


def _with_scheme(url: str, schemes: dict[str, str]) -> str:
    try:
        parts = urlsplit(url.strip())
        scheme = schemes.get(parts.scheme, parts.scheme)
        if Origin.of(url.strip()) is None or scheme not in schemes.values():
            raise ValueError
    except ValueError:
        raise OdysseyConnectionError(
            f"the signaling address {shown_url(url)} is no http(s) or ws(s) address"
        ) from None
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
