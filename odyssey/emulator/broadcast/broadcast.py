"""A stream that others watch: one encoding, given to spectators and to an HLS playlist."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from odyssey.emulator.broadcast.hls import HlsOutput
from odyssey.emulator.broadcast.spectator_peer import SpectatorPeer
from odyssey.emulator.settings import Codec
from odyssey.emulator.tokens import is_same

__all__ = ["Broadcast"]

logger = logging.getLogger(__name__)

_KEY_FRAME_INTERVAL = 0.15  # spectators can't make every frame a key frame
_CONNECT_SECONDS = 15.0
_HLS_END_SECONDS = 0.8


class Broadcast:
    """The spectators of one stream, and its playlist once somebody asked for it."""

    def __init__(self, stream_id: str, codec: Codec, request_key_frame: Callable[[], None]) -> None:
        self.stream_id = stream_id
        self.token = secrets.token_urlsafe(24)
        self.live = True
        self._codec = codec
        self._encoder_key_frame = request_key_frame
        self._key_wanted = False
        self._last_key = 0.0
        self._spectators: dict[str, SpectatorPeer] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._hls: HlsOutput | None = None
        self._folder: Path | None = None

    @property
    def spectator_count(self) -> int:
        return len(self._spectators)

    def accepts(self, token: str) -> bool:
        return is_same(token, self.token)

    def put(self, packet: av.Packet[Any]) -> None:
        """Gives everybody the stream's next packet; never waits."""
        if packet.is_keyframe:
            self._key_wanted = False
            self._last_key = time.monotonic()
        for spectator in self._spectators.values():
            spectator.track.put(packet)
        if self._hls is not None:
            self._hls.add(packet)
        self._pass_request_on()

    async def join(self, offer: str) -> tuple[str, str]:
        """Adds a spectator; returns the id of its session, and the SDP that answers its offer.

        Raises what aiortc does for an offer that can't be answered.
        """
        spectator = SpectatorPeer(self._codec, self._request_key_frame)
        id_ = uuid.uuid4().hex
        self._spectators[id_] = spectator
        try:
            answer = await spectator.answer(offer)
        except BaseException:
            del self._spectators[id_]
            await spectator.close()
            raise
        watch = asyncio.ensure_future(self._watch(id_, spectator))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return id_, answer

    async def leave(self, id_: str) -> bool:
        """Ends a spectator's session; False when there is none."""
        spectator = self._spectators.pop(id_, None)
        if spectator is not None:
            await spectator.close()
        return spectator is not None

    def playlist(self) -> Path | None:
        """Returns the path of the playlist, which may not exist yet; None if there will be none."""
        if self._hls is None and self.live:
            self._folder = Path(tempfile.mkdtemp(prefix="odyssey-hls-"))
            self._hls = HlsOutput(self._folder, self._codec, self._request_key_frame)
        return None if self._hls is None else self._hls.playlist

    def kill_peers(self) -> None:
        for spectator in self._spectators.values():
            spectator.kill()

    async def end(self) -> None:
        """The stream is over: all spectators and the playlist end cleanly. Bounded in time."""
        self.live = False
        ends = [asyncio.ensure_future(s.finish()) for s in self._spectators.values()]
        if self._hls is not None:
            loop = asyncio.get_running_loop()
            ends.append(asyncio.ensure_future(loop.run_in_executor(None, self._hls.finish)))
        if ends:
            await asyncio.wait(ends, timeout=_HLS_END_SECONDS)
        if self._watches:
            await asyncio.wait(self._watches, timeout=_HLS_END_SECONDS)

    def remove(self) -> None:
        """Deletes the playlist's files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _request_key_frame(self) -> None:
        self._key_wanted = True
        self._pass_request_on()

    def _pass_request_on(self) -> None:
        if self._key_wanted and time.monotonic() - self._last_key >= _KEY_FRAME_INTERVAL:
            self._encoder_key_frame()

    async def _watch(self, id_: str, spectator: SpectatorPeer) -> None:
        """Frees the session of a spectator that never came, is gone, or has seen it all."""
        try:
            await asyncio.wait_for(spectator.connected.wait(), _CONNECT_SECONDS)
            await spectator.ended.wait()
        except TimeoutError:
            logger.info("a spectator did not connect within %g s", _CONNECT_SECONDS)
        await self.leave(id_)
