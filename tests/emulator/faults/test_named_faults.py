"""Faults switched over HTTP by name: what they do on the wire, and that they end."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable

import attrs
import pytest
import requests
from websockets.exceptions import InvalidStatus

from odyssey.emulator import Emulator
from odyssey.emulator.faults import CATALOGUE
from tests.emulator.raw_client import Client, Rest, connected, parse, signaling
from tests.support.helpers import FaultSwitch

Look = Callable[[Rest], Awaitable[object]]


@attrs.frozen(kw_only=True)
class Case:
    """How a fault shows: what `look` finds while it is on, and when it is off."""

    look: Look
    on: object
    off: object
    given: dict[str, object] = attrs.field(factory=dict)


# REST


def requesting(method: str, path: str, body: object = None, seconds: float = 10.0) -> Look:
    """The status of the answer, with what else of it tells the faults apart."""

    async def look(rest: Rest) -> object:
        return await asyncio.to_thread(request, rest)

    def request(rest: Rest) -> object:
        url = rest.url + path.format(key=rest.api_key)
        headers = {"Authorization": f"Bearer {rest.token}"}
        filled = json.loads(json.dumps(body).replace("{key}", rest.api_key))
        began = time.monotonic()
        try:
            answer = requests.request(method, url, json=filled, headers=headers, timeout=seconds)
        except requests.Timeout:
            return "silence"
        except requests.ConnectionError:
            return "cut"
        if time.monotonic() - began >= seconds / 2:
            return "late"
        if answer.status_code == 429 and answer.headers.get("Retry-After"):
            return 429, answer.headers["Retry-After"]
        if answer.status_code == 429:
            usage = answer.json()
            return 429, usage.get("error") or usage["detail"]["error"], "detail" in usage
        return answer.status_code if "json" in answer.headers["Content-Type"] else "not JSON"

    return look


KEY = {"api_key": "{key}"}
LOGIN = requesting("POST", "/auth/token", KEY)
SESSION = requesting("POST", "/sessions/request", {})
REGIONS = "/regions"


def auth(status: int) -> Case:
    return Case(look=LOGIN, on=status, off=200)


def usage(code: str, *, bare: bool = False) -> Case:
    return Case(look=SESSION, on=(429, code, not bare), off=200, given={"bare": bare})


def hanging(path: str) -> Case:
    return Case(look=requesting("GET", path, seconds=0.3), on="silence", off=WITHOUT_JSON[path])


WITHOUT_JSON: dict[str, object] = {"/ping": "not JSON", "/config": 200, REGIONS: 200}


async def look_for_revoked_token(rest: Rest) -> object:
    status = rest.get(REGIONS).status_code
    await asyncio.to_thread(rest.login)
    return status


async def look_for_ice_server(rest: Rest) -> object:
    """What kind of server is named, and that it says nothing."""
    (server,) = rest.get("/config").json()["iceServers"] or [None]
    if server is None:
        return None
    kind, host, port = server["urls"].split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        query.settimeout(0.1)
        query.sendto(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12, (host, int(port)))
        with pytest.raises(socket.timeout):
            query.recv(100)
    return kind, "credential" in server


def burst(status: int, seen: object = None) -> Case:
    async def look(rest: Rest) -> object:
        return [await requesting("GET", REGIONS)(rest) for _ in range(3)]

    given: dict[str, object] = {"n": 2, "path": REGIONS}
    on = [seen or status, seen or status, 200]
    return Case(look=look, on=on, off=[200] * 3, given=given)


async def look_at_queue(rest: Rest) -> object:
    return [await SESSION(rest) for _ in range(3)]


async def look_for_new_fields(rest: Rest) -> object:
    return sorted(rest.get(REGIONS).json())


REST: dict[str, Case] = {
    "other-dialect": Case(
        look=look_for_new_fields, on=["api_version", "links", "regions"], off=["regions"]
    ),
    "auth-401": auth(401),
    "auth-403": auth(403),
    "auth-422": auth(422),
    "auth-500": auth(500),
    "token-revoked": Case(look=look_for_revoked_token, on=401, off=200),
    "queue": Case(look=look_at_queue, on=[503, 503, 200], off=[200] * 3, given={"n": 2}),
    "usage-monthly-limit": usage("MONTHLY_LIMIT_REACHED"),
    "usage-concurrent-limit": usage("CONCURRENT_LIMIT_REACHED", bare=True),
    "usage-concurrent-limit-exceeded": usage("CONCURRENT_LIMIT_EXCEEDED"),
    "usage-stream-duration": usage("STREAM_DURATION_EXCEEDED"),
    "usage-account-suspended": usage("ACCOUNT_SUSPENDED"),
    "usage-rate-limited": usage("RATE_LIMITED"),
    "request-500": Case(look=SESSION, on=500, off=200),
    "regions-slow": Case(
        look=requesting("GET", REGIONS, seconds=3), on="late", off=200, given={"seconds": 1.5}
    ),
    "regions-hanging": hanging(REGIONS),
    "regions-failing": Case(look=requesting("GET", REGIONS), on=500, off=200),
    "ping-hanging": hanging("/ping"),
    "config-failing": Case(look=requesting("GET", "/config"), on=500, off=200),
    "config-hanging": hanging("/config"),
    "stun-silent": Case(look=look_for_ice_server, on=("stun", False), off=None),
    "turn-silent": Case(look=look_for_ice_server, on=("turn", True), off=None),
    "burst-500": burst(500),
    "burst-502": burst(502),
    "burst-503": burst(503),
    "burst-504": burst(504),
    "burst-429": burst(429, (429, "1")),
    "not-json": Case(look=requesting("GET", REGIONS), on="not JSON", off=200),
    "http-slow": Case(
        look=requesting("GET", "/config", seconds=3), on="late", off=200, given={"seconds": 1.5}
    ),
    "http-dropped": Case(look=SESSION, on="cut", off=200),
    "simulations-forbidden": Case(look=requesting("POST", "/simulation-jobs", {}), on=403, off=400),
}


# Signaling


async def look_at_socket(rest: Rest) -> object:
    """How the socket opens."""
    try:
        async with signaling(rest.provision()) as opened:
            first = await asyncio.wait_for(opened.socket.recv(), 0.5)
            message = parse(first)
            return message.get("type", "junk"), message.get("reason")
    except InvalidStatus as exc:
        return exc.response.status_code
    except TimeoutError:
        return "silence"
    except ConnectionError:
        return "cut"
    except Exception as exc:  # of websockets: closed without a message
        return type(exc).__name__


async def look_at_offer(rest: Rest) -> object:
    """The labels of the data channels, and whether there is video."""
    async with signaling(rest.provision()) as opened:
        client = Client(opened.socket)
        try:
            await client.handshake(channels=0)
            # That all channels of the offer are open, says the other end.
            await client.until(lambda: rest.emulator.connections[-1].state == "connected")
            return sorted(client.channels), "m=video" in client.offer_sdp
        finally:
            await client.close()


OFFER = ("offer", None)
BOTH = ["clientToStreamer", "streamerToClient"]

SIGNALING: dict[str, Case] = {
    "socket-refused": Case(look=look_at_socket, on=503, off=OFFER),
    "socket-dropped": Case(look=look_at_socket, on="ConnectionClosedError", off=OFFER),
    "no-offer": Case(look=look_at_socket, on="silence", off=OFFER),
    "error-instead-of-offer": Case(
        look=look_at_socket, on=("error", "overload"), off=OFFER, given={"reason": "overload"}
    ),
    "junk-socket": Case(look=look_at_socket, on=("junk", None), off=OFFER),
    "no-channel": Case(
        look=look_at_offer,
        on=(["streamerToClient"], True),
        off=(BOTH, True),
        given={"label": "clientToStreamer"},
    ),
    "no-track": Case(look=look_at_offer, on=(BOTH, False), off=(BOTH, True)),
}


# Replies


def conversing(count: int) -> Look:
    """The first `count` messages for a start, two prompts, an end and one more prompt."""

    def said(data: str | bytes) -> str:
        message = parse(data)
        kinds = {"update_acknowledged": "prompt", "interactive_stream_error": "reason"}
        kind = str(message.get("type"))
        return str(message[kinds[kind]]) if kind in kinds else kind if message else "junk"

    async def look(rest: Rest) -> object:
        async with connected(rest.provision()) as client:
            client.tell("interactive_stream_start", prompt="A cat")
            client.tell("update", prompt="one")
            client.tell("update", prompt="two")
            client.tell("interactive_stream_end")
            client.tell("update", prompt="three")
            await client.until(lambda: len(client.raw) >= count)
            return [said(data) for data in client.raw[:count]]

    return look


USUAL = ["stream_started", "one", "two", "stream_ended", "invalid_state"]


def replies(*on: str, **given: object) -> Case:
    return Case(look=conversing(len(on)), on=[*on], off=USUAL[: len(on)], given=given)


STARTED, ENDED, INVALID = USUAL[0], USUAL[3], USUAL[4]
LATE: dict[str, object] = {"seconds": 0.5}

REPLIES: dict[str, Case] = {
    "start-late": replies("one", "two", ENDED, INVALID, STARTED, **LATE),
    "start-missing": replies("one", "two", ENDED, INVALID),
    "ack-late": replies(STARTED, ENDED, INVALID, "one", "two", **LATE),
    "ack-missing": replies(STARTED, ENDED, INVALID),
    "end-late": replies(STARTED, "one", "two", INVALID, ENDED, **LATE),
    "end-missing": replies(STARTED, "one", "two", INVALID),
    "acks-swapped": replies(STARTED, "two", "one", ENDED, INVALID),
    "acks-doubled": replies(STARTED, "one", "one", "two", "two"),
    "starts-doubled": replies(STARTED, STARTED, "one", "two", ENDED),
    "ends-doubled": replies(STARTED, "one", "two", ENDED, ENDED),
    "start-refused": replies("spam", *[INVALID] * 4, reason="spam"),
    "interact-refused": replies(STARTED, "spam", "spam", ENDED, "spam", reason="spam"),
    "end-refused": replies(STARTED, "one", "two", "spam", "three", reason="spam"),
    "junk-channel": replies("junk"),
}


async def look_at_broadcast(rest: Rest) -> object:
    async with connected(rest.provision()) as client:
        await client.start(broadcast=True)
        (ready,) = await client.until(lambda: client.of_type("broadcast_ready"))
        return sorted(ready)


ANNOUNCED = ["broadcast_url", "spectator_token", "type", "webrtc_url"]
BROADCAST = Case(
    look=look_at_broadcast,
    on=["broadcast_url", "spectator_token", "type"],
    off=ANNOUNCED,
    given={"missing": "webrtc_url"},
)

CASES = {**REST, **SIGNALING, **REPLIES, "broadcast-incomplete": BROADCAST}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
async def test_it_shows_while_it_is_on(emulator: Emulator, rest: Rest, name: str) -> None:
    case, switch = CASES[name], FaultSwitch(emulator)
    switch.on(name, **case.given)
    assert await case.look(rest) == case.on
    assert switch.off(name) == []
    assert await case.look(rest) == case.off


# Switching


def test_what_is_on_and_what_there_is(emulator: Emulator, rest: Rest) -> None:
    switch = FaultSwitch(emulator)
    assert switch.listed()["on"] == []
    assert [fault["name"] for fault in switch.listed()["faults"]] == list(CATALOGUE)
    switch.on("no-offer")
    on = switch.on("queue", n=5)
    assert on[1] == {"name": "queue", "parameters": {"n": 5}, "left": 5}
    assert rest.request("POST", "/sessions/request", json={}).status_code == 503
    assert [fault["left"] for fault in switch.listed()["on"]] == [None, 4]
    assert [fault["left"] for fault in switch.on("queue", n=2)] == [None, 2]  # instead
    assert [fault["name"] for fault in switch.off("no-offer")] == ["queue"]
    assert switch.off() == []


@pytest.mark.parametrize(
    ("name", "given", "status", "says"),
    [
        ("queues", {}, 404, "auth-401"),
        ("queue", {"m": 1}, 422, "it has n"),
        ("queue", {"n": 0}, 422, "from 1"),
        ("queue", {"n": "3"}, 422, "a whole number"),
        ("queue", {"n": True}, 422, "a whole number"),
        ("packet-loss", {"share": 1.1}, 422, "0 to 1"),
        ("packet-loss", {"share": float("nan")}, 422, "0 to 1"),
        ("packet-loss", {"share": 10**400}, 422, "beyond all limits"),
        ("queue", {"n": -(10**400)}, 422, "beyond all limits"),
        ("no-channel", {"label": "x"}, 422, "clientToStreamer"),
        ("video-resized", {"width": 65}, 422, "even"),
        ("token-revoked", {"after": None}, 422, "a number"),
        ("queue", [1], 422, "object"),
    ],
)
def test_what_makes_no_sense_is_refused(
    emulator: Emulator, name: str, given: object, status: int, says: str
) -> None:
    switch = FaultSwitch(emulator)
    answer = switch.send("PUT", f"/{name}", data=json.dumps(given))
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert switch.listed()["on"] == []


def test_only_for_who_has_the_key(emulator: Emulator, rest: Rest) -> None:
    other = emulator.add_key()
    for authorization in ("", f"Bearer {rest.token}", f"Bearer {other}", emulator.api_key):
        for method, path in (("GET", ""), ("DELETE", ""), ("PUT", "/queue"), ("DELETE", "/queue")):
            url = f"{emulator.url}/emulator/faults{path}"
            headers = {"Authorization": authorization}
            assert requests.request(method, url, headers=headers, timeout=5).status_code == 401
    assert emulator.faults.active == ()


def test_not_from_pages_of_another_origin(emulator: Emulator) -> None:
    switch = FaultSwitch(emulator)
    for origin, status in (("https://example.com", 403), ("null", 403), (emulator.url, 200)):
        answer = switch.send("POST", "/queue", json={}, headers={"Origin": origin})
        assert answer.status_code == status
        assert bool(emulator.faults.active) is (status == 200)


def test_faults_cannot_lock_themselves_in(emulator: Emulator) -> None:
    switch = FaultSwitch(emulator)
    for name in ("http-dropped", "not-json", "burst-503", "http-slow"):
        switch.on(name)
    assert switch.off() == []


def test_by_name_in_python(emulator: Emulator, rest: Rest) -> None:
    faults = emulator.faults
    faults.switch_on("queue", n=1)
    assert [fault.name for fault in faults.switched_on] == ["queue"]
    assert rest.request("POST", "/sessions/request", json={}).status_code == 503
    assert faults.switched_on == ()
    faults.switch_off("queue")  # which is no error
    with pytest.raises(ValueError, match="no fault is named 'queues'; there are ack-late, "):
        faults.switch_on("queues")
    with pytest.raises(ValueError, match="no fault is named"):
        faults.switch_off("queues")
    with pytest.raises(ValueError, match=r"no parameter 'name'; it has n \(a whole number from 1"):
        faults.switch_on("queue", name=1)
