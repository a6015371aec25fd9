"""A peer that sends what none should, in packets that are ciphered as they must be: the other end
goes on, or ends with our error, and says no word that is not ours.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import time
from collections.abc import Callable, Iterator
from struct import pack
from typing import TypeVar

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey import (
    AdvancedConfig,
    BroadcastInfo,
    Odyssey,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyTimeoutError,
    Stream,
    connect_to_stream,
)
from odyssey._rtc.private_packets import MOST_CHANNELS, MOST_PIECES, MOST_SOURCES
from odyssey.emulator import Emulator
from tests.support.helpers import in_thread
from tests.support.hostile import HostilePeer, chunk, data_chunk
from tests.support.strategies import examples

pytestmark = pytest.mark.live

#: Bytes that a process may grow by, whatever comes. Two dozen connections in a row that are left
#: in peace take 200 MB, and no more from then on.
MOST_GROWTH = 500_000_000

VP8, DELTA = 97, b"\x10\x01some vp8"
DCEP, TEXT, BINARY = 50, 51, 53

Attack = Callable[[HostilePeer], None]
Test = TypeVar("Test", bound=Callable[..., None])


def datagram(data: bytes) -> Attack:
    """What anybody can send who knows the port."""

    def attack(peer: HostilePeer) -> None:
        host, port = peer.other_address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as neighbour:
            neighbour.sendto(data, (host, port))

    return attack


def stun(attributes: bytes) -> bytes:
    return pack("!HHI12s", 1, len(attributes), 0x2112A442, b"x" * 12) + attributes


def rtp(source: int, number: int, *, flags: int = 0x80, timestamp: int = 1) -> bytes:
    return pack("!BBHLL", flags, VP8, number, timestamp, source) + DELTA


def opening(label: bytes, *, protocol: bytes = b"", claimed: int | None = None) -> bytes:
    size = len(label) if claimed is None else claimed
    return pack("!BBHLHH", 3, 0, 0, 0, size, len(protocol)) + label + protocol


def extensions(peer: HostilePeer) -> None:
    """Of each number, and of lengths that none of those has that are known."""
    head = pack("!HH", 0xBEDE, 1)
    peer.video(
        *((0x9061 | last << 7, 5, head + bytes([n << 4, 1, 0, 0]) + DELTA)
          for n in range(1, 15) for last in (0, 1))
    )  # fmt: skip


def wide_acknowledgements(peer: HostilePeer) -> None:
    ranges = pack("!HH", 0, 65535) * 280
    peer.chunks(*[chunk(3, pack("!LLHH", peer.heard_tsn, 1000, 280, 0) + ranges)] * 20)


def far_ahead(peer: HostilePeer) -> None:
    """Whose places the other end would have to sort and to name, with each that comes."""
    first = peer.tsn + 100
    peer.chunks(
        *(b"".join(data_chunk(first + 2 * (40 * i + j), b"x", flags=1) for j in range(40))
          for i in range(200))
    )  # fmt: skip


def rtcp(peer: HostilePeer) -> None:
    for kind in (200, 201, 202, 203, 205, 206):
        for count in (0, 1, 31):
            for words in (0, 1, 2, 7):
                peer.rtp(pack("!BBH", 0x80 | count, kind, words) + bytes(4 * words))
                peer.rtp(pack("!BBH", 0xA0 | count, kind, words) + b"\xff" * (4 * words + 4))


ATTACKS: dict[str, Attack] = {
    "an empty datagram": datagram(b""),
    "a datagram that is too long for SRTP": datagram(b"\x80\x61" + bytes(1700)),
    "a STUN attribute that is too short": datagram(stun(pack("!HH", 0x24, 2) + bytes(4))),
    "header extensions of a wrong length": extensions,
    "RTCP of wrong counts and lengths": rtcp,
    "an SCTP parameter of length 0": lambda peer: peer.chunks(chunk(4, bytes(4))),
    "an INIT with a parameter of length 0": lambda peer: peer.chunks(chunk(1, bytes(20))),
    "an INIT beside another chunk": lambda peer: peer.chunks(chunk(1, bytes(16)) + chunk(11, b"")),
    "acknowledgements of 18 million": wide_acknowledgements,
    "a data chunk that is too short": lambda peer: peer.chunks(chunk(0, b"abc", 3)),
    "a FORWARD TSN that is too short": lambda peer: peer.chunks(chunk(192, b"ab")),
    "a reset of streams that is too short": lambda peer: peer.chunks(
        chunk(130, pack("!HHL", 13, 8, 1))
    ),
    "pieces far ahead": far_ahead,
    "text that is no UTF-8": lambda peer: peer.message(b"\xff\xfe{", TEXT),
    "binary": lambda peer: peer.message(bytes(range(256)), BINARY),
    "an unknown protocol": lambda peer: peer.message(b"x", 4711),
    "a channel that is opened twice": lambda peer: peer.message(opening(b"x"), DCEP),
    "a channel with half a letter as label": lambda peer: peer.message(
        opening("é".encode(), claimed=1), DCEP, 90
    ),
    "a channel with a huge label": lambda peer: peer.message(
        opening(b"x" * 1000, claimed=65535), DCEP, 92
    ),
    "a channel that was never opened is acknowledged": lambda peer: peer.message(b"\2", DCEP, 94),
    "many records in each datagram": lambda peer: peer.records(*[[chunk(4, b"")] * 20] * 20),
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def client_of(emulator: Emulator) -> Odyssey:
    """One that doesn't take a busy machine for a service that is gone."""
    patient = AdvancedConfig(frame_timeout_s=None)
    return Odyssey(emulator.add_key(), api_url=emulator.url, timeout=15, advanced=patient)


class Streaming:
    """A client of which frames come, and its streamer."""

    def __init__(self, emulator: Emulator, client: Odyssey) -> None:
        self.client = client
        client.connect()
        self.stream: Stream = client.stream("A fox")
        self.stream.__enter__()
        self.stream.frames.take(1)
        self.streamer = HostilePeer.streamer(emulator, client)

    def goes_on(self) -> None:
        """Frames come that were sent just now, and what is said is heard."""
        assert self.stream.interact("It yawns") == "It yawns"
        self.stream.frames.latest()
        assert len(self.stream.frames.take(3, timeout=15)) == 3


@pytest.fixture(scope="module")
def kept(emulator: Emulator) -> Iterator[list[Streaming]]:
    """One connection for all attacks that it has to survive."""
    with client_of(emulator) as client:
        yield [Streaming(emulator, client)]


@pytest.fixture
def streaming(emulator: Emulator, kept: list[Streaming]) -> Streaming:
    """The one that is kept; another, should a test before have failed."""
    if not kept[0].client.is_connected:
        kept[0] = Streaming(emulator, kept[0].client)
    return kept[0]


@pytest.fixture
def own(emulator: Emulator) -> Iterator[Streaming]:
    """A connection for one attack, which ends it."""
    with client_of(emulator) as client:
        yield Streaming(emulator, client)


@pytest.fixture
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nobody but us says anything, and nobody prints a traceback."""
    caplog.set_level(logging.WARNING)
    yield
    for record in caplog.records:
        assert record.name.startswith("odyssey"), record.getMessage()
        assert record.exc_info is None


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.usefixtures("no_complaints")
def test_fault_the_client_gets(attack: Attack, streaming: Streaming) -> None:
    attack(streaming.streamer)
    streaming.goes_on()
    assert streaming.client.is_connected


@pytest.mark.usefixtures("no_complaints")
def test_fault_many_sources(own: Streaming, caplog: pytest.LogCaptureFixture) -> None:
    """aiortc has no room for them in its reports; without those it never closes."""
    own.streamer.rtp(*(rtp(1000 + n, n) for n in range(300)))
    own.goes_on()
    peer = HostilePeer.client(own.client)
    for receiver in peer.dtls._rtp_router.receivers:
        assert len(receiver._RTCRtpReceiver__remote_streams) <= MOST_SOURCES
        assert len(receiver._RTCRtpReceiver__active_ssrc) <= MOST_SOURCES
    own.client.disconnect()
    assert "did not react to closing" not in caplog.text


@pytest.mark.usefixtures("no_complaints")
def test_fault_a_spectator_gets_them(emulator: Emulator) -> None:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    with client_of(emulator) as client:
        client.connect(on_broadcast_ready=announced.put)
        client.start_stream("A fox", broadcast=True)
        info = announced.get(timeout=10)
        with connect_to_stream(info.webrtc_url, info.spectator_token) as watching:
            watching.frames.take(1, timeout=10)
            peer = HostilePeer.broadcaster(emulator)
            for name in ("an empty datagram", "header extensions of a wrong length"):
                ATTACKS[name](peer)
                watching.frames.latest()
                watching.frames.take(3, timeout=10)


ENDINGS: dict[str, tuple[Attack, str]] = {
    "a message without end": (
        lambda peer: peer.chunks(
            *(b"".join(data_chunk(peer.tsn + 40 * i + j, b"x", 1, 0, TEXT, 0 if i or j else 2)
                       for j in range(40)) for i in range(MOST_PIECES // 40 + 2))
        ),
        "pieces of messages",
    ),
    "more channels than anybody needs": (
        lambda peer: peer.chunks(
            *(data_chunk(peer.tsn + n, opening(b"x" * 1000), 100 + 2 * n, 0, DCEP)
              for n in range(MOST_CHANNELS + 1))
        ),
        "opened more than",
    ),
    "SCTP shut down": (lambda peer: peer.chunks(chunk(7, bytes(4))), ""),
}  # fmt: skip


@pytest.mark.parametrize(("attack", "said"), ENDINGS.values(), ids=ENDINGS)
@pytest.mark.usefixtures("no_complaints")
def test_fault_the_client_ends_for(
    attack: Attack, said: str, own: Streaming, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = in_thread(lambda: list(own.stream))
    attack(own.streamer)
    error = waiting.exception(10)
    assert isinstance(error, OdysseyConnectionError)
    assert "the data channel" in str(error)
    assert said in caplog.text


# The emulator.

AT_EMULATOR = [
    "an empty datagram",
    "a datagram that is too long for SRTP",
    "RTCP of wrong counts and lengths",
    "an SCTP parameter of length 0",
    "acknowledgements of 18 million",
]


def repairs_without_end(peer: HostilePeer) -> None:
    """A request names 6,000 packets, the same ones again and again."""
    source = next(iter(peer.dtls._rtp_router.ssrc_table))
    again = pack("!HH", 0, 0xFFFF) + pack("!HH", 17, 0xFFFF)
    peer.rtp(*[pack("!BBHLL", 0x81, 205, 2 + 360, 1, source) + again * 180] * 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*AT_EMULATOR, "repairs without end"])
@pytest.mark.usefixtures("no_complaints")
def test_fault_the_emulator_gets(name: str, emulator: Emulator, streaming: Streaming) -> None:
    """Whatever becomes of that client, another one streams on."""
    with client_of(emulator) as hostile:
        hostile.connect()
        ATTACKS.get(name, repairs_without_end)(HostilePeer.client(hostile))
        streaming.goes_on()
        assert streaming.client.is_connected
        hostile.start_stream("A cat")


# Whatever comes.

BODIES = st.binary(max_size=60) | st.sampled_from([bytes(4), bytes(20), b"\xff" * 40])
SMALL = st.integers(0, 40)


def sent_datagram(start: int, rest: bytes) -> Attack:
    return datagram(bytes([start]) + rest)


def sent_video(first: int, timestamp: int, rest: bytes, count: int) -> Attack:
    return lambda peer: peer.video(*[(first, timestamp + n, rest) for n in range(count)])


def sent_rtp(first: int, number: int, source: int, rest: bytes) -> Attack:
    return lambda peer: peer.rtp(pack("!HHLL", first, number, 0, source) + rest)


def sent_rtcp(parts: list[tuple[int, int, int, bytes]]) -> Attack:
    data = b"".join(pack("!BBH", *head) + rest for *head, rest in parts)
    return lambda peer: peer.rtp(data)


def sent_chunks(parts: list[tuple[int, bytes, int, int | None]]) -> Attack:
    return lambda peer: peer.chunks(b"".join(chunk(*part) for part in parts))


def sent_data(ahead: int, payload: bytes, stream: int, protocol: int, flags: int) -> Attack:
    return lambda peer: peer.chunks(
        data_chunk(peer.tsn + ahead, payload, stream, 0, protocol, flags)
    )


def sent_message(payload: bytes, protocol: int, flags: int) -> Attack:
    return lambda peer: peer.message(payload, protocol, flags=flags)


FIRST_OF_RTP = st.sampled_from([0x8061, 0x80E1, 0x9061, 0xA0E1, 0x8162, 0x8063, 0xB0E1]) | (
    st.integers(0x8000, 0xBFFF)
)
PROTOCOLS = st.sampled_from([DCEP, TEXT, BINARY, 56, 57, 0])
RANDOM_ATTACKS = st.one_of(
    st.builds(sent_datagram, st.sampled_from([0, 1, 22, 23, 128, 144, 200]), st.binary()),
    st.builds(lambda body: datagram(stun(body)), BODIES),
    st.builds(sent_video, FIRST_OF_RTP, st.integers(0, 2**31), BODIES, SMALL),
    st.builds(sent_rtp, FIRST_OF_RTP, st.integers(0, 2**16 - 1), SMALL, BODIES),
    st.builds(
        sent_rtcp,
        st.lists(
            st.tuples(st.integers(128, 191), st.integers(192, 208), SMALL, BODIES), min_size=1
        ),
    ),
    st.builds(
        sent_chunks,
        st.lists(
            st.tuples(
                st.sampled_from([*range(1, 15), 130, 192]) | st.integers(0, 255),
                BODIES,
                st.integers(0, 255),
                st.none() | st.none() | st.integers(0, 70),
            ),
            min_size=1,
            max_size=8,
        ),
    ),
    st.builds(sent_data, st.integers(-3, 600), BODIES, SMALL, PROTOCOLS, st.integers(0, 7)),
    st.builds(sent_message, BODIES | st.builds(opening, BODIES), PROTOCOLS, st.integers(0, 7)),
)


def send(attacks: list[Attack], peer: HostilePeer) -> None:
    for attack in attacks:
        with contextlib.suppress(ConnectionError):  # an earlier one has ended it
            attack(peer)


def thorough(test: Test) -> Test:
    """Marks what takes minutes, and with the profile "long" an hour."""
    marks = (
        pytest.mark.slow,
        pytest.mark.timeout(7200),
        # That of aiortc's threads.
        pytest.mark.filterwarnings("ignore:Do not use the `random` module"),
    )
    for mark in marks:
        test = mark(test)
    return test


def grown(before: int) -> int:
    return int(psutil.Process().memory_info().rss) - before


@thorough
@pytest.mark.usefixtures("no_complaints")
def test_whatever_a_streamer_sends_the_client_goes_on_or_ends(emulator: Emulator) -> None:
    with Odyssey(emulator.add_key(), api_url=emulator.url, timeout=10) as client:
        streaming = Streaming(emulator, client)
        before = psutil.Process().memory_info().rss

        @examples(40)
        @given(st.lists(RANDOM_ATTACKS, min_size=1, max_size=12))
        def check(attacks: list[Attack]) -> None:
            nonlocal streaming
            send(attacks, streaming.streamer)
            streaming.stream.frames.latest()
            try:
                streaming.stream.frames.take(3, timeout=15)
            except OdysseyTimeoutError:
                raise AssertionError("neither frames nor an end") from None
            except OdysseyError:
                assert not client.is_connected
            try:
                streaming.stream.interact("It yawns", timeout=1)
            except OdysseyError:  # the channels' transport has been told lies
                began = time.monotonic()
                client.disconnect()
                assert time.monotonic() - began < 5
                streaming = Streaming(emulator, client)
            assert grown(before) < MOST_GROWTH

        check()


@thorough
@pytest.mark.usefixtures("no_complaints")
def test_whatever_a_client_sends_the_others_stream_on(
    emulator: Emulator, streaming: Streaming
) -> None:
    before = psutil.Process().memory_info().rss
    with client_of(emulator) as hostile:

        @examples(30)
        @given(st.lists(RANDOM_ATTACKS, min_size=1, max_size=12))
        def check(attacks: list[Attack]) -> None:
            if not hostile.is_connected:
                hostile.connect()
            send(attacks, HostilePeer.client(hostile))
            streaming.goes_on()
            hostile.disconnect()
            assert grown(before) < MOST_GROWTH

        check()
