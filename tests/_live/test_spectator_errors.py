"""What `connect_to_stream` refuses, what the service refuses, and what is not to be seen."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable

import pytest

from odyssey import (
    BroadcastInfo,
    ConcurrentLimitReachedError,
    Odyssey,
    OdysseyAPIError,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    OdysseyTimeoutError,
    connect_to_stream,
)
from odyssey._live.whep import WhepAddress, WhepSession
from odyssey._logging import Secret
from odyssey._rtc import peer, spectator
from odyssey._rtc.spectator import without_rejected
from odyssey._runtime.deadline import Deadline
from odyssey.emulator import Emulator, faults
from tests.support.helpers import wait_until
from tests.support.servers import Reply, Request, TinyServer, free_port

TOKEN = "spectator-secret-4711"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((7, TOKEN), TypeError, "webrtc_url"),
        (("", TOKEN), ValueError, "webrtc_url"),
        (("localhost:80/x", TOKEN), ValueError, "webrtc_url"),
        (("ftp://localhost/x", TOKEN), ValueError, "webrtc_url"),
        (("http://local host/x", TOKEN), ValueError, "webrtc_url"),
        (("http://[::1/x", TOKEN), ValueError, "webrtc_url"),
        (("http://localhost:99999/x?token=spectator-secret", TOKEN), ValueError, "webrtc_url"),
        (("http://localhost/x", None), TypeError, "spectator_token"),
        (("http://localhost/x", ""), ValueError, "empty"),
        (("http://localhost/x", "spectator-secret\n"), ValueError, "white space"),
        (("http://localhost/x", TOKEN, "no function"), TypeError, "on_video_frame"),
        (("http://localhost/x", TOKEN, None, 7), TypeError, "on_disconnected"),
    ],
)
def test_wrong_arguments(arguments: tuple[object, ...], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        connect_to_stream(*arguments)  # type: ignore[arg-type]
    assert "spectator-secret" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, "5", float("nan")])
def test_a_wrong_timeout(timeout: object) -> None:
    with pytest.raises((ValueError, TypeError), match="timeout"):
        connect_to_stream("http://localhost/x", TOKEN, timeout=timeout)  # type: ignore[arg-type]


def test_a_wrong_token(on_air: BroadcastInfo) -> None:
    with pytest.raises(OdysseyAuthError, match="spectator token was refused") as caught:
        connect_to_stream(on_air.webrtc_url, TOKEN)
    assert caught.value.status == 401


def test_no_such_stream(on_air: BroadcastInfo, client: Odyssey) -> None:
    with pytest.raises(OdysseyNotFoundError):
        connect_to_stream(on_air.webrtc_url + "x", on_air.spectator_token)
    client.end_stream()
    with pytest.raises(OdysseyNotFoundError):
        connect_to_stream(on_air.webrtc_url, on_air.spectator_token)


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, OdysseyAuthError), (409, OdysseyAPIError), (500, OdysseyServerError)],
)
def test_by_status(
    on_air: BroadcastInfo, emulator: Emulator, status: int, error: type[OdysseyError]
) -> None:
    emulator.faults.inject(faults.HttpStatus(path="*/whep", status=status))
    with pytest.raises(error):
        connect_to_stream(on_air.webrtc_url, on_air.spectator_token)


def test_a_usage_error() -> None:
    full = {"detail": {"error": "CONCURRENT_LIMIT_REACHED", "message": "too many watch"}}
    with TinyServer(lambda r: Reply(full, 429) if "/whep" in r.path else Reply()) as server:
        with pytest.raises(ConcurrentLimitReachedError, match="too many watch"):
            connect_to_stream(server.url, TOKEN)


def test_nobody_there() -> None:
    with pytest.raises(OdysseyConnectionError):
        connect_to_stream(f"http://127.0.0.1:{free_port()}/x", TOKEN)


@pytest.mark.timing
def test_no_answer_in_time(on_air: BroadcastInfo, emulator: Emulator) -> None:
    emulator.faults.inject(faults.HttpDelay(path="*/whep", seconds=5))
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError):
        connect_to_stream(on_air.webrtc_url, on_air.spectator_token, timeout=0.5)
    assert time.monotonic() - began < 2
    emulator.faults.clear()


def test_no_media_in_time(on_air: BroadcastInfo, emulator: Emulator) -> None:
    with TinyServer(forwarding(on_air, unreachable)) as server:
        # ICE may find out by itself that nothing gets through.
        with pytest.raises(OdysseyConnectionError, match="media connection to the stream"):
            connect_to_stream(server.url, TOKEN, timeout=1)
        # The session that came about is not left to the service.
        wait_until(lambda: server.asked("/session"))
        assert server.asked("/session")[0].method == "DELETE"


@pytest.mark.timing
def test_leaving_a_service_that_hangs_takes_no_longer(
    on_air: BroadcastInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odyssey._live.spectator.LEAVE_TIMEOUT", 8)
    released = threading.Event()
    forward = forwarding(on_air, unreachable)

    def answer(request: Request) -> Reply:
        if request.method == "DELETE":
            released.wait(10)
        return forward(request)

    with TinyServer(answer) as server:
        began = time.monotonic()
        with pytest.raises(OdysseyConnectionError):
            connect_to_stream(server.url, TOKEN, timeout=1)
        assert time.monotonic() - began < 4
        released.set()


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"v=0\r\nnonsense\r\n"])
def test_an_answer_that_is_none(body: bytes) -> None:
    def answer(request: Request) -> Reply:
        return Reply(body, 201) if "/whep" in request.path else Reply()

    with TinyServer(answer) as server, pytest.raises(OdysseyServerError, match="SDP"):
        connect_to_stream(server.url, TOKEN)


@pytest.mark.parametrize("fault", [faults.HttpNotJson, faults.HttpDrop])
def test_without_ice_servers(
    on_air: BroadcastInfo, emulator: Emulator, fault: Callable[..., faults.Fault]
) -> None:
    emulator.faults.inject(fault(path="/config"))
    with connect_to_stream(on_air.webrtc_url, on_air.spectator_token) as watching:
        assert watching.frames.get()


@pytest.mark.timing
def test_the_ice_servers_are_used(
    on_air: BroadcastInfo, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []

    def noted(servers: object) -> object:
        seen.extend(server.urls for server in servers)  # type: ignore[attr-defined]
        return peer.usable_servers(servers)  # type: ignore[arg-type]

    monkeypatch.setattr(spectator, "usable_servers", noted)
    url = f"stun:127.0.0.1:{free_port()}"
    emulator.faults.inject(faults.IceServers(servers=[{"urls": [url]}, {"urls": 7}]))
    began = time.monotonic()
    with connect_to_stream(on_air.webrtc_url, on_air.spectator_token) as watching:
        assert time.monotonic() - began < 3  # gathering is bounded
        assert watching.frames.get()
    assert seen == [(url,)]


# Where the session is.


def forwarding(
    info: BroadcastInfo, change: Callable[[bytes], bytes] = bytes, location: str = "/session"
) -> Callable[[Request], Reply]:
    """A server in front of the emulator's."""
    import requests

    def answer(request: Request) -> Reply:
        if request.method != "POST":
            return Reply()
        made = requests.post(
            f"{info.webrtc_url}/whep",
            params={"token": info.spectator_token},
            data=request.body,
            headers={"Content-Type": "application/sdp"},
            timeout=5,
        )
        return Reply(change(made.content), 201, {"Location": location} if location else {})

    return answer


def unreachable(sdp: bytes) -> bytes:
    """As from a host that no packet gets through to."""
    return re.sub(rb"a=candidate.*\r\n|a=end-of-.*\r\n", b"", sdp).replace(
        b"ice-pwd:", b"ice-pwd:x"
    )


def without_audio(sdp: bytes) -> bytes:
    """As from a service that rejects the audio section, with nothing but its first line."""
    head, _, _ = sdp.partition(b"m=audio")
    head = head.replace(b"a=group:BUNDLE 0 1", b"a=group:BUNDLE 0")
    return head + b"m=audio 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"


@pytest.mark.parametrize(
    ("location", "deleted"),
    [
        ("/session/1", "/session/1"),
        ("session/2", "/live/session/2"),
        ("?session=3", "/live/whep?session=3"),
        ("", None),
        ("mailto:nobody", None),
    ],
)
def test_the_location(on_air: BroadcastInfo, location: str, deleted: str | None) -> None:
    with TinyServer(forwarding(on_air, location=location)) as server:
        with connect_to_stream(f"{server.url}/live/", TOKEN) as watching:
            assert watching.frames.get()
        asked = [r.path for r in server.requests if r.method == "DELETE"]
        assert asked == ([] if deleted is None else [deleted])
        (offer,) = [r for r in server.requests if r.method == "POST"]
        assert offer.path == f"/live/whep?token={TOKEN}"
        assert offer.headers["Content-Type"] == "application/sdp"
        assert b"a=candidate" in offer.body
        assert b"a=recvonly" in offer.body
        assert "Authorization" not in offer.headers


def test_an_absolute_location_after_a_redirect(on_air: BroadcastInfo) -> None:
    forward = forwarding(on_air, location="one")

    def answer(request: Request) -> Reply | None:
        if request.path.startswith("/here"):
            return Reply({}, 308, {"Location": f"{server.url}/there/whep?ticket=1"})
        return forward(request)

    with TinyServer(answer) as server:
        with connect_to_stream(f"{server.url}/here", TOKEN) as watching:
            assert watching.frames.get()
        assert server.asked("/there/one")[0].method == "DELETE"


def test_rejected_audio(on_air: BroadcastInfo) -> None:
    with TinyServer(forwarding(on_air, without_audio)) as server:
        with connect_to_stream(server.url, TOKEN) as watching:
            assert watching.frames.take(3)


def test_an_answer_that_rejects_nothing_stays_as_it_is() -> None:
    assert without_rejected("v=0\r\n", "v=0\r\n") == "v=0\r\n"


def test_leaving_never_raises() -> None:
    session = WhepSession(WhepAddress("http://localhost/x", TOKEN))
    session.leave(Deadline.after(1))
    session._location = Secret(f"http://127.0.0.1:{free_port()}/session")
    session.leave(Deadline.after(1))
    session.close()


# What is not to be seen.


def test_the_token_is_nowhere(
    on_air: BroadcastInfo, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("odyssey", "urllib3"):
        caplog.set_level(logging.DEBUG, name)
    texts = [repr(WhepAddress(on_air.webrtc_url, on_air.spectator_token))]
    with connect_to_stream(on_air.webrtc_url, on_air.spectator_token) as watching:
        watching.frames.get()
        texts.append(repr(watching))
    emulator.faults.inject(
        faults.HttpStatus(path="*/whep", status=400, detail=f"bad: {on_air.spectator_token}"),
        times=1,
    )
    emulator.faults.inject(faults.HttpDrop(path="*/whep"))
    for _ in range(2):
        with pytest.raises(OdysseyError) as caught:
            connect_to_stream(on_air.webrtc_url, on_air.spectator_token)
        texts += [str(caught.value), repr(caught.value)]
        texts += traceback.format_exception(caught.value)
    texts += [record.getMessage() for record in caplog.records]
    assert len(texts) > 10
    assert not [text for text in texts if on_air.spectator_token in text]


@pytest.mark.timing
def test_a_program_that_ends_while_it_watches(on_air: BroadcastInfo, emulator: Emulator) -> None:
    code = textwrap.dedent(
        """
        import os, sys
        from odyssey import connect_to_stream
        watching = connect_to_stream(os.environ["URL"], sys.stdin.read())
        print(watching.frames.get().index)
        """
    )
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=on_air.spectator_token,
        env={"URL": on_air.webrtc_url},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("0\n", "", 0)
    assert time.monotonic() - began < 8
    # Told by a DELETE: otherwise it is noticed much later.
    wait_until(lambda: emulator.connections[0].spectators == 0, 1)
