"""The thread that decodes one video track."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, cast

import attrs
import av
from av.video.codeccontext import VideoCodecContext

from odyssey._rtc.assembler import EncodedFrame
from odyssey._video.bounds import MOST_PIXELS

logger = logging.getLogger(__name__)

#: Encoded frames that may wait, half a second of them: with more, decoding has fallen behind.
BACKLOG = 12
#: The most encoded frames that wait, and the most bytes; further frames are dropped.
MOST_WAITING = 48
MOST_BYTES = 32 * 1024 * 1024

_TIME_BASE = Fraction(1, 90_000)  # RTP's, for video
_HALF = 1 << 31
_LIBRARIES = {"VP8": "libvpx", "H264": "h264"}


class Codec(Protocol):
    """aiortc's description of a codec."""

    @property
    def name(self) -> str: ...


@attrs.frozen
class _Job:
    codec: str
    data: bytes
    pts: int
    arrived_at: float


class Decoder:
    """Decodes a track on a thread of its own, in place of aiortc's decoder, which ends at once.

    It stands in for the queue between aiortc's receiver and aiortc's decoder. That decoder's output
    goes over the event loop, its queue has no bound, and closing it waits on the loop until the
    queue is empty.

    Args:
        deliver: Gets each picture and when its last packet arrived; called on the decoder's thread.
        broken: Called on the loop when only a key frame helps.
        ended: Called on the loop after the last picture of a track that has ended.
    """

    def __init__(
        self,
        deliver: Callable[[av.VideoFrame, float], None],
        broken: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._deliver = deliver
        self._broken = broken
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Bytes put into the queue and taken out of it, each counted by one thread.
        self._put_bytes = 0
        self._taken_bytes = 0
        self._thread: threading.Thread | None = None
        self._gone = asyncio.Event()
        # Guards `_closed`: once `close` has set it, nothing is delivered any more.
        self._delivering = threading.Lock()
        self._closed = False
        self._last: int | None = None  # timestamp
        self._time = 0
        self._contexts: dict[str, VideoCodecContext] = {}

    def start(self) -> None:
        """Starts the thread.

        Raises:
            RuntimeError: It can't be started: there are too many, or the program ends.
        """
        thread = threading.Thread(target=self._run, name="odyssey-decoder", daemon=True)
        thread.start()
        self._thread = thread

    # The two methods of the queue that aiortc calls.

    def get(self) -> None:
        """Tells aiortc's decoder thread to end."""

    def put(self, item: tuple[Codec, EncodedFrame] | None) -> None:
        """Takes a frame from aiortc's receiver, or None at the end of the track."""
        if item is None:
            self._jobs.put(None)
            return
        codec, frame = item
        kept = all(self._keep(codec, one) for one in (frame, *frame.followers))
        if not kept or self._jobs.qsize() > BACKLOG:
            # Nothing is dropped inside a group of pictures: the waiting frames are decoded, and
            # the next one is a key frame.
            logger.warning("decoding has fallen behind; skipping to the next key frame")
            self._broken()

    def _keep(self, codec: Codec, frame: EncodedFrame) -> bool:
        """Queues a frame; returns False if there is no room for it."""
        waiting = self._jobs.qsize()
        size = self._put_bytes - self._taken_bytes + len(frame.data)
        if waiting >= MOST_WAITING or (waiting and size > MOST_BYTES):
            return False
        self._put_bytes += len(frame.data)
        self._jobs.put(_Job(codec.name, frame.data, self._pts(frame), frame.arrived_at))
        return True

    def _pts(self, frame: EncodedFrame) -> int:
        """Returns the frame's time since the first frame: RTP's timestamp wraps every 13 hours."""
        if self._last is None:
            self._last = frame.rtp_timestamp
        step = (frame.rtp_timestamp - self._last + _HALF) % (2 * _HALF) - _HALF
        self._last = frame.rtp_timestamp
        self._time += step
        return self._time

    async def close(self) -> None:
        """Delivers nothing more; returns when the thread has ended."""
        with self._delivering:
            self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            await self._gone.wait()
            self._thread.join()  # setting `_gone` is the last thing that it does

    def _run(self) -> None:
        for job in iter(self._jobs.get, None):
            self._taken_bytes += len(job.data)
            if self._closed:
                break
            try:
                self._decode(job)
            except av.FFmpegError as exc:
                logger.debug("a %s frame can't be decoded: %s", job.codec, exc)
                self._tell(self._broken)
            except Exception:
                logger.exception("a decoded frame could not be handed on")
        self._contexts.clear()
        if not self._closed:
            self._tell(self._ended)
        self._tell(self._gone.set)

    def _decode(self, job: _Job) -> None:
        if job.codec == "VP8" and _pixels(job.data) > MOST_PIXELS:
            logger.debug("a picture is too large to be decoded")
            self._tell(self._broken)
            return
        packet = av.Packet(job.data)
        packet.pts = job.pts
        packet.time_base = _TIME_BASE
        for frame in self._context(job.codec).decode(packet):
            with self._delivering:
                if not self._closed:
                    self._deliver(frame, job.arrived_at)

    def _context(self, codec: str) -> VideoCodecContext:
        context = self._contexts.get(codec)
        if context is None:
            context = cast(VideoCodecContext, av.CodecContext.create(_LIBRARIES[codec], "r"))
            # More threads are never faster here, and those that work on frames delay each.
            context.thread_count = 1
            context.options = {"max_pixels": str(MOST_PIXELS)}
            self._contexts = {codec: context}
        return context

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)


def _pixels(vp8: bytes) -> int:
    """Returns the pixels of a VP8 key frame's picture, or 0 for another frame.

    libvpx allocates memory for a picture before libav checks its size.
    """
    if len(vp8) < 10 or vp8[0] & 1:
        return 0
    width, height = (int.from_bytes(vp8[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width * height
