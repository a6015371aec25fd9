"""Wild offers, answers, candidates and messages: the call fails as documented, another try is made,
and the loop goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import VideoStreamTrack
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from odyssey import (
    AdvancedConfig,
    ClientCredentials,
    ConnectionStatus,
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
)
from odyssey._protocol.state import NEXT_STATUS
from odyssey._rtc.connection import Connection
from odyssey._rtc.spectator import Spectator
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.portal import Portal
from odyssey.emulator import Emulator, faults
from tests.fuzz.test_readers import ICE, MESSAGES
from tests.models.test_models import session_token
from tests.support.helpers import in_thread, wait_until
from tests.support.strategies import (
    BINARY,
    JSON,
    TEXT,
    TEXTS,
    TOKENS,
    examples,
    object_texts,
    spoilt_lines,
)

KEY = "ody_0123456789abcdef"


@functools.cache
def offer_sdp() -> str:
    """What a streamer offers."""

    async def make() -> str:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = pc.addTransceiver(VideoStreamTrack(), direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType == "video/VP8"])
        pc.createDataChannel("clientToStreamer")
        pc.createDataChannel("streamerToClient")
        await pc.setLocalDescription(await pc.createOffer())
        sdp = str(pc.localDescription.sdp)
        await pc.close()
        return sdp

    return asyncio.run(make())


CANDIDATE = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"
OFFERS = st.deferred(lambda: spoilt_lines(offer_sdp())) | TEXT
SAID = (
    OFFERS.map(lambda sdp: json.dumps({"type": "offer", "sdp": sdp}))
    | st.builds(
        lambda text, mid, index: json.dumps(
            {"type": "ice_candidate", "candidate": text, "sdpMid": mid, "sdpMLineIndex": index}
        ),
        spoilt_lines(CANDIDATE, " ", (":", ".")) | TEXT,
        st.sampled_from(["0", "9", None]) | TEXT,
        st.integers(-2, 3) | st.none(),
    )
    | object_texts({name: MESSAGES[name] for name in ("type", "sdp", "candidate", "sdpMid")})
    | TEXTS
    | BINARY
)


class WildSignaling:
    """Says what is in `script` on one socket after the other, hears the answer if one comes, and
    closes.
    """

    def __init__(self) -> None:
        self.script: list[list[str | bytes]] = []
        self.sockets = 0
        self._server = serve(self._talk, "127.0.0.1", 0, max_size=None)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _talk(self, socket: ServerConnection) -> None:
        said = self.script[self.sockets] if self.sockets < len(self.script) else []
        self.sockets += 1
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            for one in said:
                socket.send(
                    one.encode("utf-8", "replace").decode() if isinstance(one, str) else one
                )
            socket.recv(timeout=0.05)
        socket.close(1011)

    def __enter__(self) -> WildSignaling:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()


def credentials(url: str) -> ClientCredentials:
    return ClientCredentials(url, session_token(), 600)


@pytest.mark.slow
def test_after_any_offer_another_try_is_made(emulator: Emulator) -> None:
    """And in the end the same client connects to a service that makes sense."""
    tries = 6
    advanced = AdvancedConfig(max_retries=tries - 1, initial_retry_delay_ms=0)
    with WildSignaling() as wild:
        with Odyssey(
            emulator.api_key, api_url=emulator.url, timeout=15, advanced=advanced
        ) as client:

            @examples(12)
            @given(st.lists(st.lists(SAID, min_size=1, max_size=3), min_size=tries, max_size=tries))
            def check(script: list[list[str | bytes]]) -> None:
                wild.script, wild.sockets = script, 0
                with pytest.raises(OdysseyError):
                    client.connect_with_credentials(credentials(wild.url))
                said = [one for part in script[: wild.sockets] for one in part]
                # An error that the server tells is final, as is a service that is there no more.
                assert wild.sockets == tries or any("error" in str(one) for one in said)
                assert client.current_status is ConnectionStatus.FAILED

            check()
            client.connect()
            assert client.is_connected


def test_an_address_of_signaling_that_leads_nowhere(emulator: Emulator) -> None:
    port = emulator.url.rpartition(":")[2]
    urls = st.builds(
        "{}{}{}".format,
        st.sampled_from(["ws://", "wss://", "http://", "https://", "ftp://", ""]),
        st.sampled_from([f"127.0.0.1:{port}", "127.0.0.1:1", "[::1]:1", "a..b", "x" * 70, "@", ""]),
        TOKENS.map("/{}".format) | TEXT,
    )
    once = AdvancedConfig(max_retries=0)
    with Odyssey(KEY, timeout=5, advanced=once) as client:

        @examples(20)
        @given(urls, TEXT.filter(bool))
        def check(url: str, session_id: str) -> None:
            token = session_token({"session_id": session_id})
            with pytest.raises(OdysseyError) as caught:
                client.connect_with_credentials(ClientCredentials(url or "x", token, 600))
            assert token not in str(caught.value)

        check()


@pytest.fixture
def loop() -> Iterator[Portal]:
    loop = Portal("odyssey-media")
    yield loop
    loop.stop(5)


class Nobody:
    """Hears of nothing."""

    def began(self) -> None: ...
    def frame(self, frame: object) -> None: ...
    def ended(self, failure: OdysseyError | None) -> None: ...
    def torn_down(self) -> None: ...


async def answer_to(offer: str) -> str:
    """What a streamer answers to a spectator."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver(VideoStreamTrack(), direction="sendonly")
    await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await pc.setLocalDescription(await pc.createAnswer())
    sdp = str(pc.localDescription.sdp)
    await pc.close()
    return sdp


def test_any_answer_to_a_spectator_is_refused_or_leads_nowhere(loop: Portal) -> None:
    def call(function: Callable[..., Any], *args: object, seconds: float = 10) -> Any:
        return loop.call(
            function, *args, deadline=Deadline.after(seconds), waiting_for=lambda: "nowhere"
        )

    @examples(25)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        spectator = Spectator(Nobody())
        right = call(answer_to, call(spectator.offer, []))
        try:
            with pytest.raises((OdysseyServerError, OdysseyConnectionError)):
                call(spectator.accept, data.draw(spoilt_lines(right) | TEXT), seconds=0.1)
        finally:
            call(spectator.close)

    check()


ICE_URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["stun:", "stun:", "stuns:", "x:", ""]),
    st.sampled_from(["127.0.0.1", "a..b", "x" * 70, "[::1]", "\ud800", "", "127.0.0.1:1"]),
    TOKENS.map(":{}".format) | st.sampled_from(["", ":99999", ":0", "?transport=udp"]),
)


def test_whatever_ice_servers_are_named_the_client_connects(
    client: Odyssey, emulator: Emulator
) -> None:
    @examples(8)
    @given(
        st.lists(
            st.fixed_dictionaries(
                {"urls": st.lists(ICE_URLS, min_size=1, max_size=3)},
                optional={"username": TEXT, "credential": TEXT},
            )
            | st.fixed_dictionaries({}, optional=dict.fromkeys(ICE, JSON)),
            max_size=3,
        )
    )
    def check(servers: list[Any]) -> None:
        emulator.faults.clear()
        emulator.faults.inject(faults.IceServers(servers=servers))
        client.connect()
        client.disconnect()

    check()


@pytest.mark.slow
def test_whatever_the_streamer_says_the_client_stands(client: Odyssey) -> None:
    """Messages as the data channel brings them, while calls wait for replies."""
    statuses: list[ConnectionStatus] = []

    async def hear(connection: Connection, said: list[str | bytes]) -> None:
        for one in said:
            connection.message_received(one)

    @examples(15)
    @given(
        st.lists(
            object_texts(MESSAGES) | object_texts(MESSAGES, whole=False) | BINARY | TEXTS,
            max_size=30,
        )
    )
    def check(said: list[str | bytes]) -> None:
        statuses[:] = [client.current_status]
        client.connect(on_status_change=lambda status, _: statuses.append(status))
        client.start_stream("A cat")
        waiting = [in_thread(lambda: client.interact("It yawns", timeout=5)) for _ in range(2)]
        attempt, media = client._live._attempt, client._live._loop
        assert attempt is not None
        assert media is not None
        media.call(
            hear, attempt.connection, said, deadline=Deadline.after(5), waiting_for=lambda: "hear"
        )
        for outcome in waiting:
            error = outcome.exception(10)
            assert error is None or isinstance(error, OdysseyError)
        client.disconnect()
        assert client.current_status is ConnectionStatus.DISCONNECTED
        wait_until(lambda: statuses[-1] is ConnectionStatus.DISCONNECTED)
        for before, after in itertools.pairwise(statuses):
            assert after in NEXT_STATUS[before]

    check()
