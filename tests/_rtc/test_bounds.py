"""A service that says too much: a call's time is kept, and memory and the loop are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from odyssey import (
    AdvancedConfig,
    ClientCredentials,
    Odyssey,
    OdysseyConnectionError,
    OdysseyServerError,
    OdysseyTimeoutError,
)
from odyssey._rtc.peer import Peer
from odyssey._rtc.sdp_bounds import MOST_CANDIDATES, MOST_SECTIONS, excess
from odyssey._rtc.spectator import Spectator
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.portal import Portal
from tests.fuzz.test_connection import CANDIDATE, Nobody, answer_to, credentials, offer_sdp
from tests.support.helpers import wait_until

pytestmark = pytest.mark.timing

TIMEOUT = 2.0
#: How late a call may be, as the contract has it, and what a busy machine takes besides.
LATE = 0.5
BUSY = 0.5
#: Bytes that a process may grow by, while much more is sent to it.
MOST_GROWTH = 20_000_000

ONCE = AdvancedConfig(max_retries=0)

Talk = Callable[[ServerConnection], None]


@contextlib.contextmanager
def signaling(talk: Talk) -> Iterator[ClientCredentials]:
    """A server that says what `talk` does, and then waits for the client to leave."""

    def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            talk(connection)
            while True:
                connection.recv()

    with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield credentials(f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
        finally:
            server.shutdown()
            thread.join()


def bare_offer() -> str:
    """What a streamer offers, the candidates being still to come."""
    lines = offer_sdp().splitlines(keepends=True)
    return "".join(x for x in lines if not x.startswith(("a=candidate:", "a=end-of-candidates")))


def candidate(number: int, padding: str = "") -> str:
    text = f"candidate:{number} 1 udp 2130706431 127.0.0.1 {1024 + number} typ host{padding}"
    return json.dumps({"type": "ice_candidate", "candidate": text, "sdpMid": "0"})


def offer(sdp: str) -> str:
    return json.dumps({"type": "offer", "sdp": sdp})


def sections(count: int) -> str:
    """An offer with so many media sections."""
    head, *media = bare_offer().split("m=")
    more = [media[0].replace("a=mid:0", f"a=mid:v{n}") for n in range(count - 1)]
    bundle = " ".join(["a=group:BUNDLE", *(f"v{n}" for n in range(count - 1)), "1"])
    assert "a=group:BUNDLE 0 1" in head
    return "m=".join([head.replace("a=group:BUNDLE 0 1", bundle), *more, *media[1:]])


def failed_connect(talk: Talk) -> tuple[Exception, float]:
    """What a `connect(timeout=TIMEOUT)` raises, and after how many seconds."""
    with signaling(talk) as tokens, Odyssey("ody_key") as client:
        began = time.monotonic()
        with pytest.raises(OdysseyConnectionError) as caught:
            client.connect_with_credentials(tokens, timeout=TIMEOUT)
        return caught.value, time.monotonic() - began


def test_fault_5000_candidates_after_the_offer() -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send(offer(bare_offer()))
        for number in range(5000):
            connection.send(candidate(number))

    error, seconds = failed_connect(talk)
    assert isinstance(error, OdysseyTimeoutError)
    assert seconds < TIMEOUT + LATE + BUSY


def test_fault_candidates_without_end_before_an_offer() -> None:
    """As fast as they are taken: they cost neither memory nor the call's time."""
    sent, grown = 0, 0

    def talk(connection: ServerConnection) -> None:
        nonlocal sent, grown
        before = psutil.Process().memory_info().rss
        while True:
            connection.send(candidate(sent % 60_000, " " + "x" * 60_000))
            sent += 1
            grown = max(grown, psutil.Process().memory_info().rss - before)

    error, seconds = failed_connect(talk)
    assert isinstance(error, OdysseyTimeoutError)
    assert seconds < TIMEOUT + LATE + BUSY
    assert sent * 60_000 > 3 * MOST_GROWTH
    assert grown < MOST_GROWTH


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: offer(sections(2500)), "sent a message of "),
        (lambda: offer(sections(100)), "100 media sections, where at most 32 are taken"),
        (lambda: offer(bare_offer() + "a=x\r\n" * 40_000), "characters, where at most 131072"),
        (lambda: offer(bare_offer() + f"a={CANDIDATE}\r\n" * 300), "300 candidates, where at most"),
        (lambda: offer("x" * (64 * 1024 * 1024 - 100)), "sent a message of 671"),
        (lambda: '{"type":"other","x":"' + "x" * 60_000_000 + '"}', "where at most 1048576 are"),
    ],
    ids=["2500 sections", "100 sections", "200 KB", "300 candidates", "64 MB", "not even an offer"],
)
def test_fault_an_offer_that_is_too_large(make: Callable[[], str], said: str) -> None:
    message = make()
    error, seconds = failed_connect(lambda connection: connection.send(message))
    assert not isinstance(error, OdysseyTimeoutError)
    assert said in str(error)
    assert seconds < TIMEOUT


def test_what_is_within_the_bounds_is_answered() -> None:
    answered = threading.Event()

    def talk(connection: ServerConnection) -> None:
        connection.send(offer(sections(MOST_SECTIONS)))
        while json.loads(connection.recv())["type"] != "answer":
            pass
        answered.set()

    error, seconds = failed_connect(talk)
    assert answered.is_set()
    assert isinstance(error, OdysseyTimeoutError)
    assert seconds < TIMEOUT + LATE + BUSY
    assert excess(bare_offer() + f"a={CANDIDATE}\r\n" * (MOST_CANDIDATES - 10)) is None


def test_fault_a_spectators_answer_that_is_too_large() -> None:
    portal = Portal("odyssey-media")

    def call(function: Callable[..., object], *args: object) -> object:
        deadline = Deadline.after(10)
        return portal.call(function, *args, deadline=deadline, waiting_for=str)  # type: ignore[arg-type]

    spectator = Spectator(Nobody())
    try:
        answer = call(answer_to, call(spectator.offer, []))
        with pytest.raises(OdysseyServerError, match=r"30\d candidates, where at most 256"):
            call(spectator.accept, f"{answer}" + f"a={CANDIDATE}\r\n" * 300)
    finally:
        call(spectator.close)
        portal.stop(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_fault_a_local_candidate_where_the_port_of_mdns_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is left out, and the socket is heard on: the client sees it close."""

    def talk(connection: ServerConnection) -> None:
        connection.send(offer(bare_offer()))
        connection.send(candidate(1).replace("127.0.0.1", f"{uuid.uuid4()}.local"))
        wait_until(lambda: "can't be used" in caplog.text)
        connection.close(1011)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 5353))
        with signaling(talk) as tokens, Odyssey("ody_key", timeout=15, advanced=ONCE) as client:
            with pytest.raises(OdysseyConnectionError, match=r"closed \(code 1011\)"):
                client.connect_with_credentials(tokens)


def test_a_slow_candidate_does_not_hold_up_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    adding = threading.Event()

    async def endless(*_: object) -> None:
        adding.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Peer, "_add", endless)

    def talk(connection: ServerConnection) -> None:
        connection.send(offer(bare_offer()))
        connection.send(candidate(1))
        assert adding.wait(10)
        connection.close(1011)

    with signaling(talk) as tokens, Odyssey("ody_key", timeout=15, advanced=ONCE) as client:
        with pytest.raises(OdysseyConnectionError, match=r"closed \(code 1011\)"):
            client.connect_with_credentials(tokens)
