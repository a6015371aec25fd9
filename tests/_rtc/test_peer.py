"""The peer's reading of what the service says."""

from __future__ import annotations

import asyncio
import logging

import pytest

from odyssey._live.provisioning import IceServer
from odyssey._protocol.messages import RemoteCandidate
from odyssey._protocol.state import Need
from odyssey._rtc.peer import DEFAULT_MESSAGE_SIZE, Peer, max_message_size, usable_servers


class Nobody:
    def frame_decoded(self, frame: object, arrived_at: float) -> None: ...
    def message_received(self, data: str | bytes) -> None: ...
    def needs_changed(self) -> None: ...
    def peer_lost(self, why: str) -> None: ...
    def task_failed(self, exc: Exception) -> None: ...


def test_user_name_and_credential_are_passed_on() -> None:
    server = IceServer(("turn:turn.example:3478", "stun:stun.example"), "me", "secret")
    (usable,) = usable_servers([server])
    assert usable.urls == ["turn:turn.example:3478", "stun:stun.example"]
    assert (usable.username, usable.credential) == ("me", "secret")
    assert "secret" not in f"{server!r} {usable!r}"


def test_what_is_no_server_is_left_out() -> None:
    odd = [IceServer(("nonsense",)), IceServer(()), IceServer(("turn:", "stun:ok.example"))]
    assert [server.urls for server in usable_servers(odd)] == [["stun:ok.example"]]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("", DEFAULT_MESSAGE_SIZE),
        ("a=max-message-size:262144\r\n", 262144),
        ("a=max-message-size:0\r\n", 2**31),
        ("a=max-message-size:junk\r\n", DEFAULT_MESSAGE_SIZE),
    ],
)
def test_the_size_that_the_offer_allows(line: str, size: int) -> None:
    assert max_message_size(f"v=0\r\n{line}a=mid:0\r\n") == size


def test_an_empty_offer_and_candidates_that_are_none() -> None:
    async def scenario() -> set[Need]:
        peer = Peer([], Nobody())
        try:
            for text in ("", "junk", "candidate:1 1 udp", "candidate:a b c d e f g h"):
                peer.add_candidate(RemoteCandidate(text, None, None))
            assert "v=0" in await peer.answer("this is no SDP")
            return peer.missing()
        finally:
            await peer.close()

    assert asyncio.run(scenario()) == {Need.MEDIA, Need.TRACK, Need.SENDING, Need.RECEIVING}


@pytest.mark.parametrize("name", ["aiortc.rtcpeerconnection", "aioice.ice", "aioice.turn"])
def test_what_the_libraries_log_steers_no_terminal(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    library = logging.getLogger(name)
    library.info('Remote candidate "%s" could not be resolved', "\x1b[2J\u202e.local")
    library.debug("setRemoteDescription(%s)\n%s", "offer", "s=\x9b2J\r\na=ice-pwd:5ec2e7\r\nm=x")
    said, described = (record.getMessage() for record in caplog.records)
    assert said == 'Remote candidate " [2J .local" could not be resolved'
    assert described.split("\n") == ["setRemoteDescription(offer)", "s= 2J", "a=ice-pwd:…", "m=x"]
