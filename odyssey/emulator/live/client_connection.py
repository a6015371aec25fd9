"""The signaling socket of a session, and the life of the connection that hangs on it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import attrs
from aiohttp import WSCloseCode, WSMsgType, web

from odyssey.emulator.broadcast.broadcasts import Broadcaster
from odyssey.emulator.faults import (
    ConnectionLimit,
    ErrorInsteadOfOffer,
    Junk,
    NoOffer,
    PeerKilled,
    SessionTimeout,
    SocketCut,
    SocketDroppedBeforeOffer,
    StreamFails,
    Target,
    TrackEnded,
)
from odyssey.emulator.live.archive import Archive
from odyssey.emulator.live.replies import JUNK
from odyssey.emulator.live.sessions import Session, Sessions
from odyssey.emulator.live.streamer import Streamer
from odyssey.emulator.payloads import parsed, read_object
from odyssey.emulator.settings import Settings

__all__ = ["ClientConnection", "ConnectionSnapshot"]

logger = logging.getLogger(__name__)

MAX_MESSAGE = 64 * 1024 * 1024
_WATCH_INTERVAL = 0.05
_LAST_WORD_SECONDS = 0.3  # from an error on the data channel to the closing of the socket
_GOODBYE_SECONDS = 0.5  # a client that leaves may close its peer before its last message is read


@attrs.frozen(kw_only=True)
class ConnectionSnapshot:
    """A connection at one moment. Closed ones are shown too.

    Attributes:
        state: "connecting" (the data channels are not open yet), "connected" or "closed".
        client_disconnecting: Whether the client said so before it left.
        prompts: Of starts and interactions, as sent, in order.
        streams: The ids of the streams so far.
        stream_id: Of the stream that runs.
        spectators: WHEP sessions of the running stream.
        frames_sent: Handed to the network, black ones included.
        stream_frames: Painted for the running stream.
        close_code: With which the socket ended; None while it is open, 1006 when it was cut.
    """

    session_id: str
    account: str
    state: str
    client_disconnecting: bool
    prompts: tuple[str, ...]
    streams: tuple[str, ...]
    stream_id: str | None
    spectators: int
    frames_sent: int
    stream_frames: int
    keepalives: int
    close_code: int | None


class ClientConnection:
    """One socket and the streamer behind it. `run` returns when both have ended."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        sessions: Sessions,
        archive: Archive,
        broadcaster: Broadcaster,
    ) -> None:
        self.session = session
        self.ended = asyncio.Event()
        self._settings = settings
        self._sessions = sessions
        self._broadcaster = broadcaster
        self._socket = web.WebSocketResponse(
            timeout=0.3, autoping=True, compress=False, max_msg_size=MAX_MESSAGE
        )
        self._transport: asyncio.Transport | None = None
        self._streamer = Streamer(settings, archive, session.account, broadcaster)
        self._opened = self._heard = time.monotonic()
        self._keepalives = 0
        self._client_disconnecting = False
        self._released = False
        self._keep_media = False
        self._over = asyncio.Event()  # the socket has ended
        self._stopping = asyncio.Event()  # the media must end, too
        self._handlers = {
            "answer": self._on_answer,
            "ice_candidate": self._on_candidate,
            "keepalive": self._on_keepalive,
            "client_disconnecting": self._on_disconnecting,
        }

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Serves the socket of this request until the connection has ended."""
        self._sessions.attach(self.session)
        try:
            await self._socket.prepare(request)
            self._transport = request.transport
            await self._serve()
        except ConnectionError:
            logger.debug("session %s: the socket was lost", self.session.id)
        finally:
            await self._end()
        return self._socket

    async def close(self, code: int, reason: str = "") -> None:
        """Ends the connection from this side; the session no longer counts."""
        self._released = True
        self._stopping.set()
        if self._socket.prepared:
            await self._socket.close(code=code, message=reason.encode())

    def cut(self, code: int | None, *, keep_media: bool) -> asyncio.Future[Any] | None:
        """Closes the socket with the code, or cuts it. The media may go on."""
        self._keep_media = keep_media
        if code is not None:
            return asyncio.ensure_future(self._socket.close(code=code))
        if self._transport is not None:
            self._transport.abort()
        return None

    def kill_peer(self) -> None:
        """Lets the peer fall silent, and those of the stream's spectators."""
        self._streamer.peer.kill()
        if self._streamer.stream is not None:
            self._broadcaster.kill_peers(self._streamer.stream.id)

    def fail_stream(self, reason: str, message: str) -> None:
        self._streamer.fail(reason, message)

    async def send_junk(self) -> None:
        """Sends junk on the data channel and on the socket."""
        self._streamer.replies.send_junk()
        await self._send_junk()

    def snapshot(self) -> ConnectionSnapshot:
        streamer = self._streamer
        stream = streamer.stream
        closed = self.ended.is_set()
        state = "connected" if streamer.peer.open.is_set() else "connecting"
        return ConnectionSnapshot(
            session_id=self.session.id,
            account=self.session.account,
            state="closed" if closed else state,
            client_disconnecting=self._client_disconnecting,
            prompts=tuple(streamer.prompts),
            streams=tuple(streamer.stream_ids),
            stream_id=stream.id if stream else None,
            spectators=self._broadcaster.spectator_count(stream.id) if stream else 0,
            frames_sent=streamer.track.frames_sent,
            stream_frames=stream.frames_painted if stream else 0,
            keepalives=self._keepalives,
            close_code=self._socket.close_code,
        )

    async def _serve(self) -> None:
        watch = asyncio.ensure_future(self._watch())
        try:
            if await self._offer():
                await self._read()
        finally:
            # Not cancelled: it may be closing the socket just now.
            self._over.set()
            await watch

    async def _offer(self) -> bool:
        """Sends the offer. False when a fault ended the socket instead."""
        faults = self._settings.faults
        if dropped := faults.take(SocketDroppedBeforeOffer):
            if cut := self.cut(dropped.code, keep_media=False):
                await cut
            return False
        if instead := faults.take(ErrorInsteadOfOffer):
            await self._send(type="error", reason=instead.reason)
            await self.close(WSCloseCode.INTERNAL_ERROR, instead.reason)
            return False
        if faults.take(NoOffer):
            return True
        sdp, candidates = await self._streamer.peer.offer(trickle=self._settings.trickle)
        await self._send(type="offer", sdp=sdp)
        for candidate in candidates:
            await self._send(**candidate)
        return True

    async def _read(self) -> None:
        async for message in self._socket:
            self._heard = time.monotonic()
            if message.type is WSMsgType.TEXT:
                await self._on_text(message.data)
            elif message.type is WSMsgType.ERROR:
                return
            else:
                logger.info("ignoring a binary message on the socket")

    async def _on_text(self, text: str) -> None:
        message = await parsed(text, read_object)
        if message is None:
            logger.info("ignoring a message on the socket that is not a JSON object")
            return
        handler = self._handlers.get(str(message.get("type")))
        if handler is not None:
            await handler(message)
        elif message.get("type") == "interactive_stream_start":
            self._streamer.submit(message)
        else:
            logger.info("ignoring a message of unknown type on the socket")

    async def _on_answer(self, message: dict[str, Any]) -> None:
        try:
            await self._streamer.peer.accept(str(message.get("sdp")))
        except Exception as exc:  # aiortc raises many kinds for an answer it can't use
            logger.warning("session %s: the answer can't be used: %r", self.session.id, exc)
            await self._send(type="error", reason="unknown")

    async def _on_candidate(self, message: dict[str, Any]) -> None:
        try:
            await self._streamer.peer.add_candidate(message)
        except Exception as exc:  # as for an answer
            logger.info("session %s: ignoring a candidate: %r", self.session.id, exc)

    async def _on_keepalive(self, _message: dict[str, Any]) -> None:
        self._keepalives += 1

    async def _on_disconnecting(self, _message: dict[str, Any]) -> None:
        # The session is free at once: the client may ask for another before the socket has closed.
        self._client_disconnecting = self._released = True
        self._sessions.detach(self.session, release=True)
        await self._socket.close(code=WSCloseCode.OK)

    async def _send(self, **message: Any) -> None:
        if self._settings.faults.take(Junk, lambda fault: fault.on != "channel"):
            await self._send_junk()
        await self._socket.send_str(json.dumps(message))

    async def _send_junk(self) -> None:
        for piece in JUNK:
            if isinstance(piece, str):
                await self._socket.send_str(piece)
            else:
                await self._socket.send_bytes(piece)

    async def _watch(self) -> None:
        """Ends the connection when a limit is reached or the client is gone; lets faults strike."""
        while not self._over.is_set():
            try:
                await self._strike()
                await self._check_limits()
                await asyncio.wait_for(self._over.wait(), _WATCH_INTERVAL)
            except TimeoutError:
                continue
            except ConnectionError:
                return  # the socket is lost; its reader sees that too

    async def _strike(self) -> None:
        """Lets the faults strike that are due in the course of a stream."""
        faults, target = self._settings.faults, self._target()
        cut = faults.take_due(SocketCut, target)
        if cut and (closing := self.cut(cut.code, keep_media=cut.keep_media)):
            await closing
        if faults.take_due(PeerKilled, target):
            self.kill_peer()
        if faults.take_due(TrackEnded, target):
            await self._streamer.peer.end_track()
        if fails := faults.take_due(StreamFails, target):
            self.fail_stream(fails.reason, fails.message)
        if faults.take_due(ConnectionLimit, target):
            await self._end_at_limit()
        if not target.idle and faults.take_due(SessionTimeout, target):
            await self._end_session()

    def _target(self) -> Target:
        streamer = self._streamer
        if streamer.stream is not None:
            return streamer.stream.target
        return Target(id=self.session.id, since=streamer.idle_since, idle=True)

    async def _end_session(self) -> None:
        if await self._streamer.stop_stream(
            "session_timeout", "Stream ended: credit lease expired"
        ):
            await asyncio.sleep(_LAST_WORD_SECONDS)
            await self.close(WSCloseCode.INTERNAL_ERROR, "session_timeout")

    async def _end_at_limit(self) -> None:
        await self._send(type="error", reason="duration_limit_reached")
        await self.close(WSCloseCode.POLICY_VIOLATION, "duration_limit_reached")

    async def _check_limits(self) -> None:
        limits, now, streamer = self._settings.limits, time.monotonic(), self._streamer
        if streamer.stream is not None and streamer.stream.age >= limits.stream_seconds:
            await self._end_session()
        elif now - self._opened >= limits.connection_seconds:
            await self._end_at_limit()
        elif streamer.stream is None and now - streamer.idle_since >= limits.idle_seconds:
            await self.close(WSCloseCode.GOING_AWAY, "idle")
        elif streamer.peer.ended.is_set():
            await self._await_goodbye()
        elif now - self._heard >= limits.keepalive_seconds:
            await self._drop_client()

    async def _await_goodbye(self) -> None:
        """Drops a client whose peer has ended, unless it says goodbye.

        A client that left as it should has said so on the socket, perhaps in a message that is not
        read yet, and which a closing socket would lose.
        """
        try:
            await asyncio.wait_for(self._over.wait(), _GOODBYE_SECONDS)
        except TimeoutError:
            await self._drop_client()

    async def _drop_client(self) -> None:
        logger.info("session %s: the client is gone", self.session.id)
        await self._send(type="error", reason="streamer_disconnected")
        self._stopping.set()
        await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)

    async def _end(self) -> None:
        # At once: a client that lost its socket may try again before the peer has closed.
        if not self._client_disconnecting:
            self._sessions.detach(self.session, release=self._released)
        if self._keep_media:
            await self._wait_for_media()
        await self._streamer.close("connection_lost")
        self.ended.set()

    async def _wait_for_media(self) -> None:
        ends = [
            asyncio.ensure_future(event.wait())
            for event in (self._streamer.peer.ended, self._stopping)
        ]
        await asyncio.wait(
            ends,
            timeout=self._settings.limits.unclean_session_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for end in ends:
            end.cancel()
