"""What STUN servers say comes after the answer: nothing waits for one that is silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection

from odyssey import Odyssey
from odyssey._live.provisioning import IceServer
from odyssey._rtc import private_ice
from odyssey._rtc.peer import Peer
from odyssey.emulator import Emulator, faults
from tests._rtc.test_peer import Nobody
from tests.support.helpers import wait_until


class StunServer:
    """Answers as it is asked, or not at all."""

    def __init__(self, silent: bool) -> None:
        self.requests = 0
        self._silent = silent
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", 0))
        self._port = self._socket.getsockname()[1]
        self.url = f"stun:127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while data := self._socket.recvfrom(2048):
            packet, address = data
            if packet == b"end":
                return
            self.requests += 1
            if not self._silent:
                request = stun.parse_message(packet)
                answer = stun.Message(
                    stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id
                )
                answer.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.7", 4321)
                self._socket.sendto(bytes(answer), address)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"end", ("127.0.0.1", self._port))
        self._thread.join()
        self._socket.close()


@pytest.fixture
def silent() -> Iterator[StunServer]:
    with contextlib.closing(StunServer(silent=True)) as server:
        yield server


@pytest.fixture
def friendly() -> Iterator[StunServer]:
    with contextlib.closing(StunServer(silent=False)) as server:
        yield server


async def answer_to_an_offer(*servers: StunServer) -> tuple[str, list[dict[str, Any]]]:
    """The SDP of a peer's answer, and the messages that follow it."""
    service = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    service.createDataChannel("clientToStreamer")
    await service.setLocalDescription(await service.createOffer())
    peer = Peer([IceServer((server.url,)) for server in servers], Nobody())
    try:
        sdp = await peer.answer(service.localDescription.sdp)
        return sdp, [json.loads(m) async for m in peer.late_candidates()]
    finally:
        await peer.close()
        await service.close()


def test_what_the_server_says_follows_the_answer(friendly: StunServer) -> None:
    sdp, messages = asyncio.run(answer_to_an_offer(friendly))
    assert " typ host" in sdp
    assert " typ srflx" not in sdp
    assert "end-of-candidates" not in sdp
    *found, end = messages
    assert found
    for message in found:
        assert message["type"] == "ice_candidate"
        assert message["candidate"].startswith("candidate:")
        assert " 203.0.113.7 4321 typ srflx " in message["candidate"]
        assert (message["sdpMid"], message["sdpMLineIndex"]) == ("0", 0)
    assert end["candidate"] == ""


def test_without_servers_the_answer_is_complete() -> None:
    sdp, messages = asyncio.run(answer_to_an_offer())
    assert "end-of-candidates" in sdp
    assert messages == []


def test_connecting_does_not_wait_for_a_silent_one(
    emulator: Emulator, client: Odyssey, silent: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would wait as long as it may.
    monkeypatch.setattr(private_ice, "STUN_TIMEOUT", 3600.0)
    emulator.faults.inject(faults.IceServers(servers=[{"urls": [silent.url]}]))
    client.connect()
    wait_until(lambda: silent.requests)
    with client.stream("A cat") as stream:
        assert len(stream.frames.take(3)) == 3


def test_the_service_gets_the_candidates_of_a_real_connection(
    emulator: Emulator, client: Odyssey, friendly: StunServer, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.inject(faults.IceServers(servers=[{"urls": [friendly.url]}]))
    client.connect()
    wait_until(lambda: friendly.requests)
    with client.stream("A cat") as stream:
        assert len(stream.frames.take(3)) == 3
    assert "can't be read" not in caplog.text
