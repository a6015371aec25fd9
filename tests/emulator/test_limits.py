"""Limits: what is refused, what is ended, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import requests

from odyssey.emulator import Emulator, Limits
from tests.emulator.raw_client import Client, Rest, connected, signaling, wait_until

pytestmark = pytest.mark.live

Make = Callable[..., Emulator]


def usage_error(rest: Rest) -> dict[str, object]:
    """The usage error that a session request gets."""
    answer = rest.request("POST", "/sessions/request", json={})
    assert answer.status_code == 429
    return dict(answer.json()["detail"])


@pytest.mark.timing
async def test_a_stream_ends_at_its_limit(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(stream_seconds=0.7))
    with Rest(emulator) as rest:
        async with signaling(rest.provision()) as socket:
            client = Client(socket.socket)
            await client.handshake()
            stream_id = await client.start("Too long")
            (error,) = await client.until(lambda: client.of_type("interactive_stream_error"))
            assert error["reason"] == "session_timeout"
            assert error["message"] == "Stream ended: credit lease expired"
            code, _ = await socket.closed(1.0)
            assert code == 1011
            await client.close()
        recording = await asyncio.to_thread(rest.recording, stream_id)
        assert 0.6 < recording["duration_seconds"] < 1.2
        assert rest.events(stream_id)[-1]["reason"] == "session_timeout"
        assert rest.request_session()  # the old session does not count any more


async def test_a_connection_ends_at_its_limit(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(connection_seconds=0.5))
    with Rest(emulator) as rest:
        async with signaling(rest.provision()) as socket:
            code, messages = await socket.closed()
            assert code == 1008
            assert messages[-1] == {"type": "error", "reason": "duration_limit_reached"}


async def test_an_idle_connection_ends(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.start("Busy")
        emulator.limits.idle_seconds = 0.3
        await client.more_frames(12)  # a stream is not idle
        await client.end()
        code, _ = await client.closed(2.0)
        assert code == 1001


async def test_a_silent_client_is_taken_for_lost(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(keepalive_seconds=0.5))
    with Rest(emulator) as rest:
        async with signaling(rest.provision()) as socket:
            for _ in range(4):
                await socket.send(type="keepalive")
                await asyncio.sleep(0.2)
            code, messages = await socket.closed(2.0)
            assert code == 1011
            assert messages[-1] == {"type": "error", "reason": "streamer_disconnected"}
        assert emulator.connections[-1].keepalives == 4


def test_concurrent_sessions(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(concurrent_streams=2))
    with Rest(emulator) as rest:
        rest.request_session()
        rest.request_session()
        error = usage_error(rest)
        assert error["error"] == "CONCURRENT_LIMIT_REACHED"
        assert error["details"] == {"active_count": 2, "limit": 2}
        assert error["message"]
        assert error["action"]
        with Rest(emulator, emulator.add_key()) as stranger:
            stranger.request_session()  # each account for itself


async def test_leaving_frees_the_session_at_once(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(concurrent_streams=1))
    with Rest(emulator) as rest:
        async with connected(rest.provision()) as client:
            assert usage_error(rest)["error"] == "CONCURRENT_LIMIT_REACHED"
            await client.leave()
            code, _ = await client.closed()
            assert code == 1000
            rest.request_session()
        assert emulator.connections[0].client_disconnecting


async def test_a_session_left_without_a_word_counts_for_a_while(make_emulator: Make) -> None:
    limits = Limits(concurrent_streams=1, unclean_session_seconds=0.5)
    with Rest(make_emulator(limits=limits)) as rest:
        async with signaling(rest.provision()) as socket:
            await socket.receive("offer")
        assert usage_error(rest)["error"] == "CONCURRENT_LIMIT_REACHED"
        wait_until(lambda: rest.request("POST", "/sessions/request", json={}).ok, 2)


def test_a_session_nobody_connects_to_ends_with_its_token(make_emulator: Make) -> None:
    limits = Limits(concurrent_streams=1, session_token_seconds=0.4)
    with Rest(make_emulator(limits=limits)) as rest:
        rest.request_session()
        usage_error(rest)
        wait_until(lambda: rest.request("POST", "/sessions/request", json={}).ok, 2)


def test_no_streamer_is_free(make_emulator: Make) -> None:
    with Rest(make_emulator(limits=Limits(streamers=1))) as rest:
        rest.request_session()
        answer = rest.request("POST", "/sessions/request", json={})
        assert (answer.status_code, answer.json()) == (503, {"detail": "all streamers are busy"})


def test_the_queue(make_emulator: Make) -> None:
    with Rest(make_emulator(limits=Limits(queue_length=2))) as rest:
        asked = [rest.request("POST", "/sessions/request", json={}) for _ in range(6)]
        assert [answer.status_code for answer in asked] == [503, 503, 200] * 2


async def test_monthly_hours(emulator: Emulator, rest: Rest) -> None:
    emulator.limits.monthly_hours = 1 / 3600
    async with connected(rest.provision()) as client:
        await client.start("An expensive second")
        await client.more_frames(26)
        await client.end()
        client.tell("interactive_stream_start", prompt="One more")
        (error,) = await client.until(lambda: client.of_type("interactive_stream_error"))
        assert error["reason"] == "quota_exceeded"
        refused = usage_error(rest)
        assert refused["error"] == "MONTHLY_LIMIT_REACHED"
        details = refused["details"]
        assert isinstance(details, dict)
        assert details["used_hours"] >= details["limit_hours"] == 1 / 3600
        assert len(details["reset_date"].split("-")) == 3
        emulator.limits.monthly_hours = None
        await client.start("Paid")


async def test_streams_over_a_lowered_limit(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as one, connected(rest.provision()) as two:
        await one.start("One")
        emulator.limits = Limits(concurrent_streams=1)
        two.tell("interactive_stream_start", prompt="Two")
        (error,) = await two.until(lambda: two.of_type("interactive_stream_error"))
        assert error["reason"] == "concurrent_limit_exceeded"
        await one.end()
        await two.start("Two")


async def test_session_token_too_old(make_emulator: Make) -> None:
    emulator = make_emulator(limits=Limits(session_token_seconds=0.2))
    with Rest(emulator) as rest:
        session = rest.provision()
        url = session["signalling_url"].replace("ws", "http", 1)
        path = f"{url}/client/{session['session_id']}"
        params = {"token": session["session_token"]}
        wait_until(lambda: requests.get(path, params=params, timeout=5).status_code == 401, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream_seconds", 0),
        ("stream_seconds", "long"),
        ("concurrent_streams", -1),
        ("concurrent_streams", 1.5),
        ("monthly_hours", -1),
        ("monthly_hours", "x"),
    ],
)
def test_limits_that_make_no_sense(field: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Limits(**{field: value})  # type: ignore[arg-type]
    limits = Limits()
    with pytest.raises((ValueError, TypeError)):
        setattr(limits, field, value)
