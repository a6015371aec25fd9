"""Each fault injects what it is named for, as often as asked, and can be switched off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import requests
from websockets.exceptions import InvalidStatus

from odyssey.emulator import Emulator, Faults, faults
from odyssey.emulator.faults import Target
from tests.emulator.raw_client import Client, Rest, connected, signaling

Make = Callable[..., Emulator]
CODES = [
    "MONTHLY_LIMIT_REACHED",
    "CONCURRENT_LIMIT_REACHED",
    "CONCURRENT_LIMIT_EXCEEDED",
    "STREAM_DURATION_EXCEEDED",
    "ACCOUNT_SUSPENDED",
    "RATE_LIMITED",
]


def request_session(rest: Rest) -> requests.Response:
    return rest.request("POST", "/sessions/request", json={})


# REST


@pytest.mark.parametrize("status", [401, 403, 422, 500])
def test_status_of_the_token_exchange(emulator: Emulator, rest: Rest, status: int) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/auth/token", status=status), times=1)
    body = {"api_key": emulator.api_key}
    answer = rest.request("POST", "/auth/token", json=body, token=False)
    assert (answer.status_code, answer.json()) == (status, {"detail": "injected"})
    assert rest.request("POST", "/auth/token", json=body, token=False).ok


def test_revoked_tokens(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.revoke_tokens()
    assert rest.get("/regions").status_code == 401
    rest.login()
    assert rest.get("/regions").ok


def test_busy_queue(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.QueueBusy(), times=2)
    assert [request_session(rest).status_code for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize("code", CODES)
def test_usage_errors(emulator: Emulator, rest: Rest, code: str) -> None:
    emulator.faults.inject(faults.UsageError(code=code), times=1)
    emulator.faults.inject(faults.UsageError(code=code, details={"x": 1}, bare=True), times=1)
    wrapped, bare = request_session(rest), request_session(rest)
    assert (wrapped.status_code, bare.status_code) == (429, 429)
    assert wrapped.json()["detail"]["error"] == bare.json()["error"] == code
    assert wrapped.json()["detail"]["details"]
    assert bare.json()["details"] == {"x": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_status_of_recordings(emulator: Emulator, rest: Rest, status: int) -> None:
    fault = faults.HttpStatus(path="/stream-recordings", status=status, retry_after=1.5)
    emulator.faults.inject(fault, times=2)
    answers = [rest.get("/stream-recordings") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["Retry-After"] == "1.5"


def test_patterns_and_methods(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.HttpStatus(path="/rec*", method="GET", status=502))
    assert rest.get("/recordings/x").status_code == 502
    assert rest.get("/regions").status_code == 200
    assert rest.request("DELETE", "/recordings/x").status_code == 405


def test_answers_that_are_not_json(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.HttpNotJson(path="/regions"), times=1)
    answer = rest.get("/regions")
    assert answer.ok
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_slow_answers(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.HttpDelay(path="/regions", seconds=0.3), times=1)
    began = time.monotonic()
    assert rest.get("/regions").ok
    assert time.monotonic() - began >= 0.3


@pytest.mark.timing
def test_an_answer_that_never_comes_does_not_hold_up_the_end(
    emulator: Emulator, rest: Rest
) -> None:
    emulator.faults.inject(faults.HttpDelay(path="/ping", seconds=1000))
    with pytest.raises(requests.Timeout):
        requests.get(emulator.url + "/ping", timeout=0.1)
    began = time.monotonic()
    emulator.close()
    assert time.monotonic() - began < 3


def test_cut_answers(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.HttpDrop(path="/regions"), times=1)
    with pytest.raises(requests.ConnectionError):
        rest.get("/regions")
    assert rest.get("/regions").ok


def test_ice_servers(emulator: Emulator, rest: Rest) -> None:
    servers = [{"urls": "turn:192.0.2.1:3478", "username": "u", "credential": "c"}]
    emulator.faults.inject(faults.IceServers(servers=servers))
    config = rest.request_session()["signalling_url"].replace("ws", "http", 1) + "/config"
    assert requests.get(config, timeout=5).json() == {"iceServers": servers}
    emulator.faults.inject(faults.HttpStatus(path="*/config", status=500))
    assert requests.get(config, timeout=5).status_code == 500


# Signaling


async def test_refused_sockets(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.SocketRefused(), times=1)
    session = rest.provision()
    with pytest.raises(InvalidStatus):
        await signaling(session).__aenter__()
    async with signaling(session) as socket:
        await socket.receive("offer")


@pytest.mark.parametrize(("code", "seen"), [(None, 1006), (1011, 1011), (1000, 1000)])
async def test_dropped_before_the_offer(
    emulator: Emulator, rest: Rest, code: int | None, seen: int
) -> None:
    emulator.faults.inject(faults.SocketDroppedBeforeOffer(code=code), times=1)
    async with signaling(rest.provision()) as socket:
        assert await socket.closed() == (seen, [])


async def test_no_offer(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.NoOffer())
    async with signaling(rest.provision()) as socket:
        with pytest.raises(TimeoutError):
            await socket.receive("offer", seconds=0.2)


async def test_error_instead_of_the_offer(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.ErrorInsteadOfOffer(reason="streamer_not_available"))
    async with signaling(rest.provision()) as socket:
        code, messages = await socket.closed()
        assert messages == [{"type": "error", "reason": "streamer_not_available"}]
        assert code == 1011


@pytest.mark.parametrize("label", ["clientToStreamer", "streamerToClient"])
async def test_missing_channel(emulator: Emulator, rest: Rest, label: Any) -> None:
    emulator.faults.inject(faults.NoChannel(label=label), times=1)
    async with connected(rest.provision(), channels=1) as client:
        assert label not in client.channels
        await client.until(lambda: client.frames)


async def test_missing_track(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.NoTrack(), times=1)
    async with connected(rest.provision()) as client:
        assert "m=video" not in client.offer_sdp
        await client.start("Blind")
        await client.end()


async def test_junk_before_every_message(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.Junk())
    async with signaling(rest.provision()) as socket:
        assert await socket.socket.recv() == "this is not JSON {"
        client = Client(socket.socket)
        await client.handshake()
        await client.start("Noise")
        assert client.raw[0] == "this is not JSON {"
        assert any(isinstance(data, bytes) for data in client.raw)
        await client.end()
        await client.close()


async def test_junk_on_demand(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.until(lambda: emulator.connections[0].state == "connected")
        emulator.faults.send_junk()
        await client.until(lambda: len(client.raw) == 7)
        assert await client.socket.recv() == "this is not JSON {"


# Streams


async def test_withheld_replies(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.WithholdReply(type="update_acknowledged"), times=1)
    emulator.faults.inject(faults.WithholdReply(type="stream_ended", seconds=0.2), times=1)
    async with connected(rest.provision()) as client:
        await client.start("Silence")
        client.tell("update", prompt="one")
        assert await client.ask("update", "update_acknowledged", prompt="two")
        assert [m["prompt"] for m in client.of_type("update_acknowledged")] == ["two"]
        began = time.monotonic()
        await client.end()
        assert time.monotonic() - began >= 0.2
        emulator.faults.inject(faults.WithholdReply(type="stream_started"), times=1)
        client.tell("interactive_stream_start", prompt="Runs all the same")
        await client.more_frames(3)
        assert len(client.of_type("stream_started")) == 1


async def test_duplicate_and_swapped_replies(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("Echo")
        emulator.faults.inject(faults.DuplicateReply(), times=1)
        client.tell("update", prompt="a")

        def acknowledged() -> list[str]:
            return [m["prompt"] for m in client.of_type("update_acknowledged")]

        await client.until(lambda: len(acknowledged()) == 2)
        emulator.faults.inject(faults.SwapReplies(), times=1)
        client.tell("update", prompt="b")
        client.tell("update", prompt="c")
        await client.until(lambda: len(acknowledged()) == 4)
        assert acknowledged() == ["a", "a", "c", "b"]


async def test_refused_starts_and_interactions(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.StreamRefused(reason="moderation", message="no"), times=1)
    emulator.faults.inject(faults.StreamRefused(reason="lease_denied", on="update"), times=1)
    async with connected(rest.provision()) as client:
        client.tell("interactive_stream_start", prompt="x")
        await client.until(lambda: client.of_type("interactive_stream_error"))
        await client.start("x")
        client.tell("update", prompt="x")
        errors = client.of_type("interactive_stream_error")
        await client.until(lambda: len(client.of_type("interactive_stream_error")) == 2)
        errors = client.of_type("interactive_stream_error")
        assert [(e["reason"], e["message"]) for e in errors] == [
            ("moderation", "no"),
            ("lease_denied", "injected"),
        ]
        await client.more_frames(3)


async def test_errors_at_any_time(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("Fragile")
        emulator.faults.fail_streams("moderation", "not this")
        (error,) = await client.until(lambda: client.of_type("interactive_stream_error"))
        assert (error["reason"], error["message"]) == ("moderation", "not this")
        await client.more_frames(3)


async def test_frozen_video(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("Frozen")
        await client.more_frames(3)
        emulator.faults.inject(faults.FreezeVideo())
        await client.ask("update", "update_acknowledged", prompt="still here")
        sent = emulator.connections[0].frames_sent
        await client.ask("update", "update_acknowledged", prompt="and here")
        await asyncio.sleep(0.2)
        assert emulator.connections[0].frames_sent - sent <= 1
        emulator.faults.clear(faults.FreezeVideo)
        await client.more_frames(3)


@pytest.mark.parametrize(("code", "seen"), [(None, 1006), (1011, 1011), (1001, 1001)])
async def test_cut_sockets(emulator: Emulator, rest: Rest, code: int | None, seen: int) -> None:
    async with signaling(rest.provision()) as socket:
        client = Client(socket.socket)
        await client.handshake()
        await client.start("Cut")
        emulator.faults.cut_sockets(code)
        assert (await socket.closed())[0] == seen
        await client.close()


async def test_a_cut_socket_can_leave_the_media(emulator: Emulator, rest: Rest) -> None:
    async with signaling(rest.provision()) as socket:
        client = Client(socket.socket)
        await client.handshake()
        await client.start("Torso")
        emulator.faults.cut_sockets(keep_media=True)
        assert (await socket.closed())[0] == 1006
        await client.more_frames(10)
        await client.ask("update", "update_acknowledged", prompt="Hears")
        await client.close()
        await client.until(lambda: emulator.connections[0].state == "closed")


async def test_killed_peers(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("Last words")
        await client.more_frames(3)
        emulator.faults.kill_peers()
        await asyncio.sleep(0.1)
        frames, messages = len(client.frames), len(client.messages)
        client.tell("update", prompt="Hello?")
        await asyncio.sleep(0.25)
        assert (len(client.frames), len(client.messages)) == (frames, messages)
        assert client.socket.close_code is None
        assert client.peer.connectionState == "connected"


async def test_late_recordings(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.RecordingDelay(seconds=0.5), times=1)
    async with connected(rest.provision()) as client:
        stream_id = await client.start("Later")
        await client.end()
        ended = time.monotonic()
        assert rest.get(f"/recordings/{stream_id}").status_code == 404
        await asyncio.to_thread(rest.recording, stream_id)
        assert time.monotonic() - ended >= 0.4


# The registry


def test_faults_given_at_construction_and_cleared(make_emulator: Make) -> None:
    given = Faults(faults.QueueBusy())
    emulator = make_emulator(faults=given)
    assert emulator.faults is given
    assert given.active == (faults.QueueBusy(),)
    with Rest(emulator) as rest:
        assert request_session(rest).status_code == 503
        given.clear()
        assert request_session(rest).ok


def test_faults_of_one_class_strike_in_turn() -> None:
    given = Faults()
    given.inject(faults.HttpStatus(path="/a", status=500), times=1)
    given.inject(faults.HttpStatus(path="/*", status=501), times=2)
    assert given.take_http(faults.HttpStatus, "GET", "/b").status == 501  # type: ignore[union-attr]
    assert given.take_http(faults.HttpStatus, "GET", "/a").status == 500  # type: ignore[union-attr]
    assert given.take_http(faults.HttpStatus, "GET", "/a").status == 501  # type: ignore[union-attr]
    assert given.take_http(faults.HttpStatus, "GET", "/a") is None
    with pytest.raises(ValueError, match="times"):
        given.inject(faults.NoOffer(), times=0)


def test_timed_faults_strike_each_target_once_in_its_time() -> None:
    given, now = Faults(), time.monotonic()
    earlier = Target(id="earlier", since=now)
    idle = Target(id="idle", since=now, idle=True)
    given.inject(faults.TrackEnded(after=60))
    later = Target(id="later", since=time.monotonic() + 1)
    assert given.take_due(faults.TrackEnded, later) is None
    assert given.take_due(faults.TrackEnded, idle) is None
    assert given.take_due(faults.TrackEnded, earlier)  # it was there before
    assert given.take_due(faults.TrackEnded, earlier) is None
    given.clear()
    given.inject(faults.TrackEnded(after=0))
    assert given.take_due(faults.TrackEnded, earlier)  # another fault, though an equal one
    assert given.take_due(faults.TrackEnded, idle)
    given.clear()
    with_time = Faults(faults.TrackEnded(after=2))
    assert with_time.take_due(faults.TrackEnded, later) is None
    assert with_time.take_due(faults.TrackEnded, attrs.evolve(later, idle=True)) is None


def test_what_strikes_at_once_needs_an_emulator() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Faults().revoke_tokens()


def test_faults_belong_to_one_emulator(make_emulator: Make) -> None:
    shared = Faults()
    make_emulator(faults=shared)
    with pytest.raises(ValueError, match="another"):
        Emulator(faults=shared).start()
    shared.revoke_tokens()
