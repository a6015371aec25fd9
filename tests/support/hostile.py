"""A peer whose packets are valid outside, ciphered with the right keys, and wrong within."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from struct import pack
from typing import Any, TypeVar

import pylibsrtp
from aiortc.rtp import is_rtcp
from google_crc32c import value as crc32c

from odyssey import Odyssey
from odyssey._rtc.connection import Connection
from odyssey.emulator import Emulator
from odyssey.emulator.live.streamer_peer import TO_CLIENT

T = TypeVar("T")


class HostilePeer:
    """Sends over the real transports of a connection, from any thread.

    Args:
        loop: Runs `pc`, which is connected.
    """

    def __init__(self, pc: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.sctp = pc.sctp
        self._sender = pc.getSenders()[0]
        self.dtls = self._sender.transport
        self._sent = self._added = 0
        self._send = self.dtls._send_rtp
        self.dtls._send_rtp = self._send_moved
        self._sender._retransmit = self._repair_nothing

    @classmethod
    def streamer(cls, emulator: Emulator, client: Odyssey) -> HostilePeer:
        """The emulator's end of a client's connection."""
        running, session = emulator._running, _connection(client).session_id
        assert running is not None
        (found,) = (c for c in running.service._live() if c.session.id == session)
        return cls(found._streamer.peer._connection, running.loop)

    @classmethod
    def broadcaster(cls, emulator: Emulator) -> HostilePeer:
        """The emulator's end of the only spectator's connection."""
        running = emulator._running
        assert running is not None
        broadcasts = running.service._broadcasts._broadcasts.values()
        (found,) = (peer for one in broadcasts for peer in one._spectators.values())
        return cls(found._connection, running.loop)

    @classmethod
    def client(cls, client: Odyssey) -> HostilePeer:
        """The end of a client that is connected."""
        peer, portal = _connection(client)._peer, client._live._loop
        assert peer is not None
        assert portal is not None
        return cls(peer._pc, portal._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it on the emulator's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def rtp(self, *packets: bytes) -> None:
        """Sends RTP, or RTCP; what can't even be ciphered is left out."""

        async def send() -> None:
            for number, packet in enumerate(packets):
                with contextlib.suppress(pylibsrtp.Error, ValueError):
                    await self._send(packet)
                await self._pace(number)

        self.run(send())

    def video(self, *packets: tuple[int, int, bytes]) -> None:
        """Sends packets among those of the video, whose numbers move on.

        packets: of each the first two bytes as one number, the timestamp, and what comes after the
            source.
        """

        async def send() -> None:
            for number, (flags, timestamp, rest) in enumerate(packets):
                self._added += 1
                sequence = (self._sent + self._added) % 2**16
                head = pack("!HHLL", flags, sequence, timestamp, self.source)
                with contextlib.suppress(pylibsrtp.Error, ValueError):
                    await self._send(head + rest)
                await self._pace(number)

        self.run(send())

    def skip(self, count: int) -> None:
        """Leaves out so many numbers of the video's packets."""
        self._added += count

    async def _send_moved(self, data: bytes) -> None:
        """Sends a packet of the streamer's own, with the number that comes next."""
        if int.from_bytes(data[8:12], "big") == self.source and not is_rtcp(data):
            self._sent = int.from_bytes(data[2:4], "big")
            data = data[:2] + pack("!H", (self._sent + self._added) % 2**16) + data[4:]
        await self._send(data)

    async def _repair_nothing(self, _number: int) -> None: ...

    def chunks(self, *packets: bytes) -> None:
        """Sends SCTP packets, given as the chunks in each."""

        async def send() -> None:
            for number, chunks in enumerate(packets):
                await self.dtls._send_data(self._sctp_packet(chunks))
                await self._pace(number)

        self.run(send())

    def message(
        self, payload: bytes, protocol: int, stream: int | None = None, flags: int = 3
    ) -> None:
        """Sends a message, or a part of one, in its turn."""

        async def send() -> None:
            sctp, to = self.sctp, self.channel if stream is None else stream
            sequence = sctp._outbound_stream_seq.get(to, 0)
            chunk = data_chunk(sctp._local_tsn, payload, to, sequence, protocol, flags)
            sctp._local_tsn = (sctp._local_tsn + 1) % 2**32
            if flags & 1:
                sctp._outbound_stream_seq[to] = (sequence + 1) % 2**16
            await self.dtls._send_data(self._sctp_packet(chunk))

        self.run(send())

    def records(self, *datagrams: list[bytes]) -> None:
        """Sends SCTP packets, given as the chunks in each, several in one datagram."""

        async def send() -> None:
            for number, packets in enumerate(datagrams):
                data = b""
                for chunks in packets:
                    self.dtls._ssl.send(self._sctp_packet(chunks))
                    data += self.dtls._ssl.bio_read(1500)
                await self.dtls.transport._send(data)
                await self._pace(number)

        self.run(send())

    async def _pace(self, number: int) -> None:
        if number % 20 == 19:
            await asyncio.sleep(0.001)  # a socket's buffer has an end

    def _sctp_packet(self, chunks: bytes) -> bytes:
        sctp = self.sctp
        head = pack("!HHL", sctp._local_port, sctp._remote_port, sctp._remote_verification_tag)
        return head + pack("<L", crc32c(head + bytes(4) + chunks)) + chunks

    @property
    def tsn(self) -> int:
        """The next number of SCTP."""
        return int(self.sctp._local_tsn)

    @property
    def heard_tsn(self) -> int:
        """The number of SCTP that came last from the other end."""
        return int(self.sctp._last_received_tsn)

    @property
    def channel(self) -> int:
        """The stream of the channel to the client."""
        (found,) = (n for n, c in self.sctp._data_channels.items() if c.label == TO_CLIENT)
        return int(found)

    @property
    def source(self) -> int:
        """The SSRC of the video."""
        return int(self._sender._ssrc)

    @property
    def other_address(self) -> tuple[str, int]:
        """Where the other end's media socket is."""
        (pair,) = self.dtls.transport._connection._nominated.values()
        host, port = pair.remote_addr
        return host, port


def _connection(client: Odyssey) -> Connection:
    assert client._live._attempt is not None
    return client._live._attempt.connection


def chunk(kind: int, body: bytes, flags: int = 0, length: int | None = None) -> bytes:
    """An SCTP chunk, its length as it is or as claimed."""
    size = len(body) + 4 if length is None else length
    return pack("!BBH", kind, flags, size) + body + bytes(-len(body) % 4)


def data_chunk(
    tsn: int, payload: bytes, stream: int = 1, sequence: int = 0, protocol: int = 51, flags: int = 3
) -> bytes:
    return chunk(0, pack("!LHHL", tsn % 2**32, stream, sequence, protocol) + payload, flags)
