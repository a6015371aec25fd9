"""Guards the packet readers of aiortc and aioice.

They end the connection, or never return, for packets that they don't expect; a few bytes from
anybody who knows the port are enough. Here such packets are dropped, and what a peer can pile up is
bounded. Used inside the window of versions, by the client and by the emulator.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Any

import pylibsrtp
from aiortc import RTCPeerConnection
from OpenSSL import SSL

from odyssey._rtc import window

logger = logging.getLogger(__name__)

#: Bytes of a datagram: libsrtp's buffer. No network carries larger ones in one piece.
LARGEST_DATAGRAM = 1500
#: Datagrams that may wait to be read, as they do until DTLS begins.
MOST_WAITING = 4096
#: Addresses from which ICE is asked whether it can be reached.
MOST_ADDRESSES = 512
#: Senders of RTP and RTCP that are remembered. A report to them has room for 31.
MOST_SOURCES = 16
#: Data channels, and the streams that they may use.
MOST_CHANNELS = 64
MOST_STREAMS = 1024
#: Pieces of unfinished messages: aiortc looks through all with each that comes.
MOST_PIECES = 1024
#: Places that a piece may be ahead of the last before a hole: aiortc sorts them with each.
MOST_AHEAD = 256
#: Packets of ours that one of the other end may name as having arrived behind a hole.
MOST_ACKNOWLEDGED = 4096
#: The share of the processor that reading messages may take, and for so many seconds the whole.
SHARE = 0.2
MOST_SECONDS = 1.0

# Of aioice's agent and of its sockets.
_SOCKETS = "_protocols"
_READ = "datagram_received"
_ASKED = "request_received"
_QUEUE = "_queue"
_ADDRESSES = ("_remote_candidates", "_early_checks")
# Of the DTLS transport.
_HANDLE_RTP = "_handle_rtp_data"
_HANDLE_RTCP = "_handle_rtcp_data"
# Of each receiver, by source.
_BY_SOURCE = tuple(
    f"_RTCRtpReceiver__{name}" for name in ("active_ssrc", "remote_streams", "lsr", "lsr_time")
)
# Of SCTP.
_HANDLE_CHUNKS = "_handle_data"

_CHUNK = Struct("!BBH")
_PARAMETER = Struct("!HH")
_COUNTS = Struct("!HH")
_DATA, _SACK = 0, 3
#: Kinds of chunks that consist of parameters, and where those begin.
_PARAMETERS_AT = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}


def guard_sockets(agent: Any) -> None:
    """Guards what aioice's agent receives; called when it has opened its sockets."""
    asked = getattr(agent, _ASKED, None)
    if asked is not None and not isinstance(asked, _Questions):
        setattr(agent, _ASKED, _Questions(agent, asked))
    for socket in getattr(agent, _SOCKETS, ()):
        read = getattr(socket, _READ, None)
        if read is not None and not isinstance(read, _Datagrams):
            setattr(socket, _READ, _Datagrams(agent, read))


def guard_packets(pc: RTCPeerConnection) -> None:
    """Guards decrypted packets; called when both descriptions have been set."""
    if not window.IS_OPEN:
        return
    transports = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    sctp: Any = pc.sctp
    if sctp is not None:
        transports.add(sctp.transport)
        if hasattr(sctp, _HANDLE_CHUNKS) and not isinstance(sctp._handle_data, _Chunks):
            sctp._handle_data = _Chunks(sctp)
    for transport in transports:
        # An offer that bundles in an odd way leaves media without a transport.
        if hasattr(transport, _HANDLE_RTP) and hasattr(transport, _HANDLE_RTCP):
            _Sources(transport).guard()


class _Datagrams:
    """Stands in for what reads a socket."""

    def __init__(self, agent: Any, read: Callable[[bytes, Any], None]) -> None:
        self._waiting = getattr(agent, _QUEUE, None)
        self._read = read

    def __call__(self, data: bytes, address: Any) -> None:
        if not 0 < len(data) <= LARGEST_DATAGRAM:
            return
        if self._waiting is not None and self._waiting.qsize() >= MOST_WAITING:
            return
        try:
            self._read(data, address)
        except Exception as exc:
            _dropped("datagram", exc)


class _Questions:
    """Stands in for what answers ICE's requests: each address that asks is remembered."""

    def __init__(self, agent: Any, answer: Callable[..., None]) -> None:
        self._agent = agent
        self._answer = answer

    def __call__(self, *request: Any) -> None:
        if sum(len(getattr(self._agent, name, ())) for name in _ADDRESSES) < MOST_ADDRESSES:
            self._answer(*request)


class _Sources:
    """Stands in for what takes RTP and RTCP, and forgets the sources that were silent longest.

    Each costs memory in libsrtp and in aiortc, and time with every packet.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._sources: dict[int, None] = {}  # the one heard last is the last
        self._latest: int | None = None

    def guard(self) -> None:
        for name, place in ((_HANDLE_RTP, 8), (_HANDLE_RTCP, 4)):
            handle = getattr(self._transport, name)
            setattr(self._transport, name, self._guarded(handle, place))

    def _guarded(
        self, handle: Callable[..., Awaitable[None]], place: int
    ) -> Callable[..., Awaitable[None]]:
        """place: of the sender's number in a packet."""

        async def take(data: bytes, **more: Any) -> None:
            self._heard(int.from_bytes(data[place : place + 4], "big"))
            try:
                await handle(data, **more)
            except ConnectionError:
                raise
            except Exception as exc:
                _dropped("packet", exc)

        return take

    def _heard(self, source: int) -> None:
        if source == self._latest:
            return
        self._latest = source
        self._sources.pop(source, None)
        self._sources[source] = None
        if len(self._sources) > MOST_SOURCES:
            self._forget(next(iter(self._sources)))

    def _forget(self, source: int) -> None:
        del self._sources[source]
        with contextlib.suppress(pylibsrtp.Error):
            self._transport._rx_srtp.remove_stream(source)
        router = self._transport._rtp_router
        router.ssrc_table.pop(source, None)
        for receiver in router.receivers:
            for name in _BY_SOURCE:
                getattr(receiver, name, {}).pop(source, None)


class _Chunks:
    """Stands in for what takes the packets of SCTP."""

    def __init__(self, sctp: Any) -> None:
        self._sctp = sctp
        self._handle: Callable[[bytes], Awaitable[None]] = sctp._handle_data
        self._seconds = 0.0  # that reading took, less those that were allowed meanwhile
        self._counted_at = time.monotonic()

    async def __call__(self, data: bytes) -> None:
        while data:
            await self._take(data)
            data = self._next_record()

    def _next_record(self) -> bytes:
        """Returns the next record of the same datagram, or b"" at its end.

        aiortc reads one record of each datagram, so others would pile up and delay later ones.
        """
        try:
            return bytes(self._sctp.transport._ssl.recv(LARGEST_DATAGRAM))
        except SSL.ZeroReturnError:
            raise ConnectionError from None  # the other end has closed
        except SSL.Error:
            return b""

    async def _take(self, packet: bytes) -> None:
        began = time.thread_time()
        try:
            if self._is_sound(packet):
                await self._handle(packet)
        except ConnectionError:
            raise
        except Exception as exc:
            _dropped("packet of the data channels", exc)
        self._count(time.thread_time() - began)
        if (excess := self._excess()) is not None:
            logger.warning("the data channels are closed: the other end %s", excess)
            await self._sctp.stop()
        elif "SHUTDOWN" in self._sctp._association_state.name:
            await self._sctp.stop()  # else they would look open, and carry nothing, for 10 s

    def _count(self, seconds: float) -> None:
        now = time.monotonic()
        self._seconds = max(0.0, self._seconds - SHARE * (now - self._counted_at)) + seconds
        self._counted_at = now

    def _is_sound(self, packet: bytes) -> bool:
        """Returns False for a packet that aiortc would read for ever, or for very long."""
        at = 12
        while at + _CHUNK.size <= len(packet):
            kind, _, length = _CHUNK.unpack_from(packet, at)
            body = packet[at + _CHUNK.size : at + length]
            if length < _CHUNK.size or (kind == _DATA and self._is_far_ahead(body)):
                return False
            if kind == _SACK and acknowledged(body) > MOST_ACKNOWLEDGED:
                return False
            if kind in _PARAMETERS_AT and not has_sound_parameters(body[_PARAMETERS_AT[kind] :]):
                return False
            at += length + -length % 4
        return True

    def _is_far_ahead(self, chunk: bytes) -> bool:
        last = self._sctp._last_received_tsn
        number = int.from_bytes(chunk[:4], "big")
        return last is not None and MOST_AHEAD < (number - last) % 2**32 < 2**31

    def _excess(self) -> str | None:
        sctp = self._sctp
        if len(sctp._data_channels) > MOST_CHANNELS:
            return f"opened more than {MOST_CHANNELS}"
        streams = sctp._inbound_streams
        if len(streams) > MOST_STREAMS:
            return f"sent on more than {MOST_STREAMS} streams"
        if sum(len(stream.reassembly) for stream in streams.values()) > MOST_PIECES:
            return f"sent more than {MOST_PIECES} pieces of messages and ended none"
        if self._seconds > MOST_SECONDS:
            return "sends what takes too long to read"
        return None


def acknowledged(sack: bytes) -> int:
    """Returns how many packets a SACK names one by one, after the first missing one."""
    gaps = _COUNTS.unpack_from(sack, 8)[0] if len(sack) >= 12 else 0
    places = range(12, min(12 + 4 * gaps, len(sack) - 3), 4)
    ranges = (_COUNTS.unpack_from(sack, at) for at in places)
    return sum(max(0, end - start + 1) for start, end in ranges)


def has_sound_parameters(body: bytes) -> bool:
    """Whether each is at least as long as its own length: aiortc stays at one that says 0."""
    at = 0
    while at + _PARAMETER.size <= len(body):
        length = _PARAMETER.unpack_from(body, at)[1]
        if length < _PARAMETER.size:
            return False
        at += length + -length % 4
    return True


def _dropped(what: str, exc: Exception) -> None:
    logger.debug("a %s was dropped that can't be read (%s)", what, type(exc).__name__)
