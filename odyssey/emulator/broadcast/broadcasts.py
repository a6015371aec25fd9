"""Serves broadcasts over HTTP: WHEP for spectators, playlists and segments for players."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import av
from aiohttp import web

from odyssey.emulator.broadcast.broadcast import Broadcast
from odyssey.emulator.broadcast.hls import PLAYLIST
from odyssey.emulator.faults import BroadcastIncomplete, Faults
from odyssey.emulator.payloads import bytes_of
from odyssey.emulator.refusals import refused
from odyssey.emulator.settings import Settings

__all__ = ["Broadcaster", "Broadcasts"]

logger = logging.getLogger(__name__)

_MOST_SDP = 256 * 1024
_PLAYLIST_SECONDS = 6.0  # from the first request for a playlist to its first segment
_PLAYLIST_CHECK = 0.05
_KEPT_SECONDS = 60.0  # a playlist stays so long after the stream's end
_CLOSE_SECONDS = 1.2
_SEGMENT = re.compile(r"segment-\d+\.ts")


class Broadcasts:
    """The broadcasts there are, by stream id. On the emulator's loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._broadcasts: dict[str, Broadcast] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post("/broadcasts/{stream_id}/whep", self._join),
            web.delete("/broadcasts/{stream_id}/whep/{id}", self._leave),
            web.get("/broadcasts/{stream_id}/hls/{name}", self._hls),
        ]

    def spectator_count(self, stream_id: str) -> int:
        """Returns the number of WHEP sessions of a stream."""
        broadcast = self._broadcasts.get(stream_id)
        return 0 if broadcast is None else broadcast.spectator_count

    def begin(self, stream_id: str, request_key_frame: Callable[[], None]) -> Broadcast:
        """Lets a stream be watched whose packets go to `put` of what is returned."""
        broadcast = Broadcast(stream_id, self._settings.codec, request_key_frame)
        self._broadcasts[stream_id] = broadcast
        return broadcast

    def end(self, stream_id: str) -> None:
        """The stream is over. Returns at once; spectators see the end of it yet."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is not None:
            task = asyncio.ensure_future(self._end(broadcast))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def kill_peers(self, stream_id: str) -> None:
        """Lets the spectators of a stream hear nothing more."""
        if stream_id in self._broadcasts:
            self._broadcasts[stream_id].kill_peers()

    async def close(self) -> None:
        """Ends all. Bounded in time."""
        self._closing.set()
        for broadcast in self._broadcasts.values():
            if broadcast.live:
                self.end(broadcast.stream_id)
        if self._ending:
            _, late = await asyncio.wait(self._ending, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
        for broadcast in self._broadcasts.values():
            broadcast.remove()

    async def _end(self, broadcast: Broadcast) -> None:
        await broadcast.end()
        if broadcast.playlist() is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _KEPT_SECONDS)
            broadcast.remove()
        del self._broadcasts[broadcast.stream_id]

    # Handlers

    async def _join(self, request: web.Request) -> web.Response:
        broadcast = self._of(request)
        if not broadcast.live:
            raise refused(404, "the stream has ended")
        if request.content_type != "application/sdp":
            raise refused(415, "expected application/sdp")
        offer = await bytes_of(request, _MOST_SDP)
        try:
            id_, answer = await broadcast.join(offer.decode())
        except Exception as exc:  # aiortc raises many kinds for an offer it can't use
            logger.info("a spectator's offer can't be answered: %r", exc)
            raise refused(400, "the offer can't be answered") from exc
        return web.Response(
            status=201,
            text=answer,
            content_type="application/sdp",
            headers={"Location": f"/broadcasts/{broadcast.stream_id}/whep/{id_}"},
        )

    async def _leave(self, request: web.Request) -> web.Response:
        # The session's id is a secret of its own: nobody else can end it.
        broadcast = self._broadcasts.get(request.match_info["stream_id"])
        if broadcast is None or not await broadcast.leave(request.match_info["id"]):
            raise refused(404, "no such session")
        return web.Response()

    async def _hls(self, request: web.Request) -> web.StreamResponse:
        broadcast, name = self._of(request), request.match_info["name"]
        playlist = broadcast.playlist()
        if playlist is None:
            raise refused(404, "the stream has ended")
        if name == PLAYLIST:
            for _ in range(round(_PLAYLIST_SECONDS / _PLAYLIST_CHECK)):
                if playlist.is_file() or self._closing.is_set():
                    break
                await asyncio.sleep(_PLAYLIST_CHECK)
            return _playlist(playlist, broadcast.token)
        if not _SEGMENT.fullmatch(name) or not playlist.with_name(name).is_file():
            raise refused(404, "no such segment")
        headers = {"Content-Type": "video/mp2t", "Cache-Control": "private, max-age=60"}
        return web.FileResponse(playlist.with_name(name), headers=headers)

    def _of(self, request: web.Request) -> Broadcast:
        """Returns the broadcast that the request is for.

        Raises:
            RefusedError: It may not be watched.
        """
        broadcast = self._broadcasts.get(request.match_info["stream_id"])
        if broadcast is None:
            raise refused(404, "no such stream")
        if not broadcast.accepts(request.query.get("token", "")):
            raise refused(401, "the spectator token is missing or wrong")
        return broadcast


def _playlist(path: Path, token: str) -> web.Response:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        raise refused(503, "the playlist has no segment yet") from None
    text = "".join(
        f"{line}\n" if line.startswith("#") or not line else f"{line}?token={token}\n"
        for line in lines
    )
    return web.Response(
        body=text.encode(),
        content_type="application/vnd.apple.mpegurl",
        headers={"Cache-Control": "no-store"},
    )


@attrs.frozen(eq=False)
class Broadcaster:
    """The broadcasts as a connection's streamer sees them: under the origin its client uses."""

    _broadcasts: Broadcasts
    _faults: Faults
    _origin: str

    def begin(
        self, stream_id: str, request_key_frame: Callable[[], None]
    ) -> tuple[Callable[[av.Packet[Any]], None], dict[str, str | None]]:
        """Lets a stream be watched.

        Returns:
            What takes the stream's packets, and the fields of the message that announces it.
        """
        broadcast = self._broadcasts.begin(stream_id, request_key_frame)
        url = f"{self._origin}/broadcasts/{stream_id}"
        fields: dict[str, str | None] = {
            "broadcast_url": f"{url}/hls/{PLAYLIST}?token={broadcast.token}",
            "webrtc_url": url,
            "spectator_token": broadcast.token,
        }
        if fault := self._faults.take(BroadcastIncomplete):
            fields[fault.missing] = None
        return broadcast.put, fields

    def end(self, stream_id: str) -> None:
        """Ends the broadcast of a stream that is over, if there is one."""
        self._broadcasts.end(stream_id)

    def kill_peers(self, stream_id: str) -> None:
        """Silences the peers of the stream's spectators."""
        self._broadcasts.kill_peers(stream_id)

    def spectator_count(self, stream_id: str) -> int:
        """Returns the number of WHEP sessions of a stream."""
        return self._broadcasts.spectator_count(stream_id)
