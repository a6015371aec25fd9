"""A live HLS playlist of a stream, for players that don't speak WebRTC."""

from __future__ import annotations

import io
import logging
import threading
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from odyssey.emulator.encoder import CLOCK_RATE, FRAME_RATE
from odyssey.emulator.settings import Codec

__all__ = ["PLAYLIST", "HlsOutput"]

logger = logging.getLogger(__name__)

PLAYLIST = "playlist.m3u8"
_THREAD_NAME = "odyssey-hls"
_TIME_BASE = Fraction(1, CLOCK_RATE)
_SEGMENT_SECONDS = 1
_SEGMENTS_LISTED = 8
_MOST_WAITING = 5 * FRAME_RATE


class HlsOutput:
    """Writes a playlist and its segments (MPEG-TS, H264) into `folder`, on a thread of its own.

    H264 is taken as it is; anything else is encoded anew. Old segments are deleted. `add` never
    waits: where the thread can't keep up, it goes on with the next key frame.
    """

    def __init__(self, folder: Path, codec: Codec, request_key_frame: Callable[[], None]) -> None:
        self.playlist = folder / PLAYLIST
        self._folder = folder
        self._codec = codec
        self._request_key_frame = request_key_frame
        self._packets: deque[av.Packet[Any]] = deque()
        self._changed = threading.Condition()  # guards the queue and the two flags
        self._key_needed = True
        self._over = False
        self._last_key = -CLOCK_RATE
        self._first: int | None = None  # the time of the first packet; for the thread
        self._thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)
        self._thread.start()
        request_key_frame()

    def add(self, packet: av.Packet[Any]) -> None:
        """Writes this packet next."""
        with self._changed:
            if self._over:
                return
            if len(self._packets) >= _MOST_WAITING:
                self._packets.clear()
                self._key_needed = True
            if not self._key_needed or packet.is_keyframe:
                self._key_needed = False
                self._packets.append(_copy(packet))
                self._changed.notify()
        pts = cast(int, packet.pts)
        if packet.is_keyframe:
            self._last_key = pts
        elif self._key_needed or self._segment_is_full(pts):
            self._request_key_frame()

    def finish(self) -> None:
        """Writes what waits and the end of the playlist. Blocks until that is done."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _segment_is_full(self, pts: int) -> bool:
        """Whether the next frame should begin a segment; an encoder here sees to that itself."""
        return self._codec == "h264" and pts - self._last_key >= _SEGMENT_SECONDS * CLOCK_RATE

    def _next(self) -> av.Packet[Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._packets or self._over)
            return self._packets.popleft() if self._packets else None

    def _run(self) -> None:
        try:
            self._write()
        except Exception:
            logger.exception("the HLS playlist failed")
            with self._changed:
                self._over = True
                self._packets.clear()

    def _write(self) -> None:
        first = self._next()
        if first is None:
            return
        write = self._remux if self._codec == "h264" else self._encode
        with av.open(
            str(self.playlist),
            "w",
            format="hls",
            options={
                "hls_time": str(_SEGMENT_SECONDS),
                "hls_list_size": str(_SEGMENTS_LISTED),
                "hls_flags": "delete_segments+temp_file+independent_segments",
                "hls_segment_filename": str(self._folder / "segment-%06d.ts"),
            },
        ) as container:
            write(container, first)

    def _remux(self, container: OutputContainer, first: av.Packet[Any]) -> None:
        with av.open(io.BytesIO(bytes(first)), format="h264") as source:
            stream = container.add_stream_from_template(source.streams.video[0])
        packet: av.Packet[Any] | None = first
        while packet is not None:
            packet.pts = packet.dts = self._time_of(packet)
            packet.duration = CLOCK_RATE // FRAME_RATE
            packet.stream = stream
            container.mux(packet)
            packet = self._next()

    def _encode(self, container: OutputContainer, first: av.Packet[Any]) -> None:
        decoder = av.CodecContext.create(self._codec, "r")
        stream: VideoStream | None = None
        next_key = 0
        packet: av.Packet[Any] | None = first
        while packet is not None:
            pts = self._time_of(packet)
            for frame in decoder.decode(packet):
                if stream is None:
                    stream = _add_stream(container, frame.width, frame.height)
                frame.pts, frame.time_base = pts, _TIME_BASE
                frame.pict_type = PictureType.I if pts >= next_key else PictureType.NONE
                if pts >= next_key:
                    next_key = pts + _SEGMENT_SECONDS * CLOCK_RATE
                container.mux(stream.encode(frame))
            packet = self._next()
        if stream is not None:
            container.mux(stream.encode())

    def _time_of(self, packet: av.Packet[Any]) -> int:
        pts = cast(int, packet.pts)
        self._first = pts if self._first is None else self._first
        return pts - self._first


def _copy(packet: av.Packet[Any]) -> av.Packet[Any]:
    """Muxing writes into the packet, and the original is being sent elsewhere."""
    own: av.Packet[Any] = av.Packet(bytes(packet))
    own.pts, own.dts, own.time_base = packet.pts, packet.pts, _TIME_BASE
    own.is_keyframe = packet.is_keyframe
    return own


def _add_stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "25", "forced-idr": "1"}
    stream = container.add_stream("libx264", rate=FRAME_RATE, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.gop_size = 100 * FRAME_RATE  # key frames are asked for by time
    stream.codec_context.thread_count = 1
    return stream
