"""Reads a file of a recording over HTTP ranges, as a file object."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from odyssey._rest.client import RETRIED_STATUSES, RETRIES, pause_before
from odyssey._runtime.deadline import Deadline
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyServerError,
    OdysseyTimeoutError,
)
from odyssey.recordings.artifact import Artifact, Body, Refusal

#: A seek over fewer bytes reads on: that is faster than to ask for another range.
READ_ON = 512 * 1024


class RetryBudget:
    """Counts the tries: a few in a row, from the start again whenever new bytes came."""

    def __init__(self) -> None:
        self._furthest = 0
        self._failed = 0

    def reached(self, position: int) -> None:
        """Notes that bytes up to this position came."""
        if position > self._furthest:
            self._furthest = position
            self._failed = 0

    def begin_at(self, position: int) -> None:
        """Notes that reading goes on elsewhere: how far it got before doesn't count."""
        self._furthest = position

    def pause(self, error: OdysseyError, asked: float | None, deadline: Deadline) -> None:
        """Waits a growing time, or what the service `asked` for; raises `error` if there is no
        try left, or no time.
        """
        left = deadline.remaining()
        pause = pause_before(self._failed, asked)
        if self._failed >= RETRIES or (left is not None and pause >= left):
            raise error
        self._failed += 1
        time.sleep(pause)


class RangeReader:
    """Reads a file of a recording, and reads on where a connection was cut. For one thread.

    Sequential reads stream from one open answer, a seek far away opens another. Constant memory.

    Args:
        seekable: Asks for ranges from the beginning, so that a storage without them shows at once.
            Without it the file is read from its beginning to its end; where the storage can't go on
            in the middle, or has another version by then, reading starts over, and `tell` shows it.

    Raises:
        OdysseyTimeoutError: When reading, no byte came for the artifact's `timeout`.
        OdysseyServerError: Of a seekable file, the storage has another one by now.
        OdysseyError: The file isn't there, or the storage failed several times without a new byte.
    """

    def __init__(self, artifact: Artifact, *, seekable: bool = False) -> None:
        self.title = artifact.title
        self._artifact = artifact
        self._budget = RetryBudget()
        self._seekable = seekable
        self._resumable = True
        self._at = 0
        self._chunk = b""
        self._chunk_at = 0
        self._body: Body | None = None
        self._tag: str | None = None
        self.size: int | None = None

    def start(self) -> bool:
        """Opens the file, so that `size` is known where the storage tells it.

        Returns:
            Whether it can be sought in. If not, what was asked to be seekable still can be read
            from its beginning to its end.
        """
        if self._body is None and self.size is None:
            self._repeat(self._reopen)
        return self._seekable

    def read(self, most: int) -> bytes:
        """Reads at least one byte and up to `most`; returns none at the end."""
        while True:
            offset = self._at - self._chunk_at
            if 0 <= offset < len(self._chunk):
                piece = self._chunk[offset : offset + most]
                self._at += len(piece)
                return piece
            if self.size is not None and self._at >= self.size:
                return b""
            self._repeat(self._next_chunk)
            if not self._chunk:
                return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves without reading, and returns the new position."""
        if whence == io.SEEK_END:
            self.start()
            if self.size is None:
                raise OSError(f"{self._artifact.title} has no known end")
            offset += self.size
        elif whence == io.SEEK_CUR:
            offset += self._at
        if offset < 0:
            raise OSError("can't seek to before the beginning")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Ends the connection if there is more to come on it. Idempotent."""
        body, self._body = self._body, None
        self._chunk = b""
        if body is not None:
            body.close()

    def _repeat(self, step: Callable[[Deadline], Refusal | None]) -> None:
        """Calls `step`, and again after a failure that may pass."""
        # Made for each step: between two of them the time is the caller's.
        deadline = self._artifact.step_deadline()
        while True:
            try:
                refusal = step(deadline)
            except OdysseyConnectionError as exc:
                self.close()
                refusal = Refusal(exc, passes=_passes(exc))
            except BaseException:
                self.close()
                raise
            if refusal is None:
                return
            if not refusal.passes:
                raise refusal.error
            self._budget.pause(refusal.error, refusal.retry_after, deadline)

    def _next_chunk(self, deadline: Deadline) -> Refusal | None:
        """Loads the bytes at the present position; the chunk is empty at the end."""
        while True:
            here = self._chunk_at + len(self._chunk)
            if self._body is None or not here <= self._at <= here + READ_ON:
                refusal = self._reopen(deadline)
                if refusal is not None:
                    return refusal
                here = self._at
            assert self._body is not None
            chunk = next(self._body.chunks, b"")
            if not chunk and self.size is not None and here < self.size:
                raise OdysseyConnectionError(
                    f"{self._artifact.operation}: the answer ended after {here} of "
                    f"{self.size} bytes"
                )
            self._chunk, self._chunk_at = chunk, here
            self._budget.reached(here + len(chunk))
            if not chunk or self._at < here + len(chunk):
                return None

    def _reopen(self, deadline: Deadline) -> Refusal | None:
        """Asks for the file from the present position on, or from its beginning if need be."""
        if self._body is not None:
            self.close()
            self._budget.begin_at(self._at)
        while True:
            if self._at and not self._resumable:
                self._start_over()
            self._chunk, self._chunk_at = b"", self._at
            ranged = self._seekable or self._at > 0
            body = self._artifact.open(self._at, self._tag, deadline, ranged=ranged)
            if isinstance(body, Body):
                problem = self._problem(body)
                if problem is None:
                    self._use(body)
                    return None
                if body.at == 0 and self._can_start_over():
                    self._start_over()  # with the whole file, as that is what came
                    self._use(body)
                    return None
                body.close()
                body = Refusal(OdysseyServerError(f"{self._artifact.operation}: {problem}"))
            if body.passes or not self._can_start_over():
                return body
            self._start_over()

    def _can_start_over(self) -> bool:
        """Whether reading from the beginning, and without ranges, is something else to try."""
        if self._seekable:
            return self._at == 0 and self.size is None
        return self._at > 0 or self._resumable

    def _start_over(self) -> None:
        # One that can't be sought in may still be able to go on after a cut.
        self._resumable = self._seekable
        self._seekable = False
        self._at = self._chunk_at = 0
        self._chunk = b""
        self._tag = self.size = None

    def _use(self, body: Body) -> None:
        self._body, self._tag = body, body.tag
        self.size = self.size if body.total is None else body.total
        self._resumable = self._resumable and body.resumable

    def _problem(self, body: Body) -> str | None:
        """Returns why an answer doesn't continue the file at this position; None if it does."""
        if body.at != self._at or (self._seekable and not body.ranged):
            return f"the storage doesn't go on at byte {self._at}"
        if self._seekable and body.total is None:
            return "the storage doesn't tell its length"
        other = None not in (self._tag, body.tag) and self._tag != body.tag
        if other or (self.size is not None and body.total not in (None, self.size)):
            return "it has changed meanwhile"
        return None


def _passes(error: OdysseyConnectionError) -> bool:
    if isinstance(error, OdysseyTimeoutError):
        return False  # all the time there was is over
    return not isinstance(error, OdysseyServerError) or error.status in RETRIED_STATUSES
