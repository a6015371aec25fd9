"""The socket: who may open it, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest
import requests
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from odyssey.emulator import Emulator
from tests.emulator.conftest import Complaints
from tests.emulator.raw_client import Client, Rest, connected, signaling, socket_url, wait_until

Make = Callable[..., Emulator]


async def status_of(url: str) -> int:
    """With which status the handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(url, proxy=None):
            pass
    return refused.value.response.status_code


async def test_who_may_not_connect(emulator: Emulator, rest: Rest) -> None:
    session, other = rest.provision(), rest.provision()
    assert await status_of(socket_url({**session, "session_token": "x"})) == 401
    assert await status_of(socket_url({**session, "session_token": other["session_token"]})) == 401
    moved = {**session, "signalling_url": other["signalling_url"]}
    assert await status_of(socket_url(moved)) == 404
    async with signaling(session):
        assert await status_of(socket_url(session)) == 409


async def test_the_offer(emulator: Emulator, rest: Rest) -> None:
    async with signaling(rest.provision()) as socket:
        sdp = (await socket.receive("offer"))["sdp"]
    assert sdp.count("m=video") == 1
    assert sdp.count("m=application") == 1
    assert "a=sendonly" in sdp
    assert "a=candidate" in sdp
    assert "m=audio" not in sdp


async def test_trickled_candidates(make_emulator: Make) -> None:
    with Rest(make_emulator(trickle=True)) as rest:
        async with connected(rest.provision()) as client:
            assert "a=candidate" not in client.offer_sdp
            await client.start("Trickle")
            await client.more_frames(3)


async def test_a_second_try_after_a_lost_socket(emulator: Emulator, rest: Rest) -> None:
    session = rest.provision()
    async with signaling(session) as socket:
        await socket.receive("offer")
    await asyncio.to_thread(wait_until, lambda: emulator.connections[0].close_code is not None)
    async with connected(session) as client:
        await client.start("Again")


async def test_junk_is_ignored(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        for junk in ("{", b"\x00\xff", "[]", "null", '{"type": 5}', '{"type": "new"}', "{}"):
            await client.socket.send(junk)
            client.channels["clientToStreamer"].send(junk)
            client.channels["streamerToClient"].send(junk)
        await client.send(type="ice_candidate", candidate="nonsense", sdpMid="0")
        await client.send(type="ice_candidate")
        await client.start("Unmoved")
        await client.more_frames(3)


async def test_an_answer_that_cannot_be_used(
    emulator: Emulator, rest: Rest, complaints: Complaints
) -> None:
    complaints.expected.append("the answer can't be used")
    async with signaling(rest.provision()) as socket:
        await socket.receive("offer")
        await socket.send(type="answer", sdp="nonsense")
        assert (await socket.receive("error"))["reason"] == "unknown"


@pytest.mark.slow
async def test_messages_up_to_64_mb(emulator: Emulator, rest: Rest) -> None:
    async with connected(rest.provision()) as client:
        await client.send(type="of another version", padding="x" * (63 * 1024 * 1024))
        await client.start("Large")
    async with signaling(rest.provision()) as socket:
        await socket.receive("offer")
        with contextlib.suppress(ConnectionClosed):  # perhaps before all is sent
            await socket.send(type="too large", padding="x" * (64 * 1024 * 1024))
        assert (await socket.closed())[0] == 1009


async def test_the_client_closes_its_peer(emulator: Emulator, rest: Rest) -> None:
    async with signaling(rest.provision()) as socket:
        client = Client(socket.socket)
        await client.handshake()
        await client.start("Alone")
        await client.close()
        code, messages = await socket.closed()
        assert code == 1011
        assert messages[-1] == {"type": "error", "reason": "streamer_disconnected"}


async def test_a_goodbye_after_the_peer_has_closed(emulator: Emulator, rest: Rest) -> None:
    """Fault: the emulator sees the peer's end some looks before it reads what the client said."""
    async with signaling(rest.provision()) as socket:
        client = Client(socket.socket)
        await client.handshake()
        await client.close()
        await asyncio.sleep(0.2)
        await client.leave()
        assert await socket.closed() == (1000, [])
    assert emulator.connections[0].client_disconnecting


def test_a_plain_request_to_the_socket(rest: Rest) -> None:
    session = rest.provision()
    url = socket_url(session).replace("ws", "http", 1)
    assert requests.get(url, timeout=5).status_code == 400


@pytest.mark.slow
async def test_ten_connections_one_after_another(emulator: Emulator, rest: Rest) -> None:
    for _ in range(10):
        async with connected(rest.provision()) as client:
            await client.start("Once more")
    await client.until(lambda: all(c.state == "closed" for c in emulator.connections))
    assert len(emulator.connections) == 10
    assert all(c.client_disconnecting and c.close_code == 1000 for c in emulator.connections)


async def test_a_machine_without_a_network(
    emulator: Emulator, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def addresses(**_: object) -> list[str]:
        return [] if threading.current_thread().name == "odyssey-emulator" else ["127.0.0.1"]

    monkeypatch.setattr("aioice.ice.get_host_addresses", addresses)
    async with connected(rest.provision()) as client:
        assert "127.0.0.1" in client.offer_sdp
        await client.start("Alone")
        await client.more_frames(3)


async def test_fault_more_is_said_than_can_be_answered(
    emulator: Emulator, rest: Rest, complaints: Complaints
) -> None:
    """Before there is a channel for answers, and so without end."""
    complaints.expected.append("wait to be answered")
    async with signaling(rest.provision()) as socket:
        await socket.receive("offer")
        for _ in range(100):
            await socket.send(type="interactive_stream_start", prompt="A cat")
        await asyncio.to_thread(wait_until, lambda: len(complaints.seen) == 36)
