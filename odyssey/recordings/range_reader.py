"""A file of a recording as a file object over ranges of HTTP."""

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
from odyssey.recordings.artifact import Artifact, Body, NotResumableError, RefusedError

#: A seek over fewer bytes reads on: that is faster than to ask for another range.
READ_ON = 512 * 1024

_Step = Callable[[Deadline], bool]


class RetryBudget:
    """How often reading is tried again: a few times, each time it gets further anew."""

    def __init__(self) -> None:
        self._furthest = 0
        self._failed = 0

    def reached(self, position: int) -> None:
        """Bytes came, up to this position."""
        if position > self._furthest:
            self._furthest = position
            self._failed = 0

    def begin_at(self, position: int) -> None:
        """Reading goes on elsewhere; what was reached before doesn't count."""
        self._furthest = position

    def pause(self, error: OdysseyError, asked: float | None, deadline: Deadline) -> None:
        """Waits a growing time, or what the service `asked` for; raises `error` if in vain."""
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
        seekable: asks for ranges from the beginning, so that a server without them shows at once.
        resumable: False where the storage has shown that it can't go on in the middle.
        body: an answer that is open already, with the whole file.

    Raises (each reading method):
        NotResumableError: it can't be read on from where it is.
        OdysseyTimeoutError: no byte came for the artifact's `timeout`.
        OdysseyError: the file isn't there, or the storage failed several times without a new byte.
    """

    def __init__(
        self,
        artifact: Artifact,
        tries: RetryBudget,
        *,
        seekable: bool = False,
        resumable: bool = True,
        body: Body | None = None,
    ) -> None:
        self._artifact = artifact
        self._tries = tries
        self._seekable = seekable
        self._resumable = resumable
        self._at = 0
        self._chunk = b""
        self._chunk_at = 0
        self._body = body
        self._tag = None if body is None else body.tag
        self.size = None if body is None else body.total

    def start(self) -> None:
        """Opens the file, so that `size` is known where the storage tells it."""
        if self._body is None and self.size is None:
            self._repeat(self._reopen)

    def read(self, most: int) -> bytes:
        """At least one byte and up to `most`; none at the end."""
        while True:
            offset = self._at - self._chunk_at
            if 0 <= offset < len(self._chunk):
                piece = self._chunk[offset : offset + most]
                self._at += len(piece)
                return piece
            if self.size is not None and self._at >= self.size:
                return b""
            if not self._repeat(self._next_chunk):
                return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves without reading; returns the position."""
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

    def _repeat(self, step: _Step) -> bool:
        """`step`, again after a failure that may pass."""
        # Made for each step: between two of them the time is the caller's.
        deadline = Deadline.after(self._artifact.timeout)
        while True:
            asked = None
            try:
                return step(deadline)
            except RefusedError as refusal:
                error, asked = refusal.error, refusal.asked
            except (OdysseyTimeoutError, NotResumableError):
                self.close()
                raise
            except OdysseyServerError as exc:
                self.close()
                if exc.status not in RETRIED_STATUSES:
                    raise
                error = exc
            except OdysseyConnectionError as exc:
                error = exc
            except BaseException:
                self.close()
                raise
            self.close()
            self._tries.pause(error, asked, deadline)

    def _next_chunk(self, deadline: Deadline) -> bool:
        """Loads the bytes at the present position; False at the end."""
        while True:
            here = self._chunk_at + len(self._chunk)
            if self._body is None or not here <= self._at <= here + READ_ON:
                self._reopen(deadline)
                here = self._at
            assert self._body is not None
            chunk = next(self._body.chunks, b"")
            if not chunk and self.size is not None and here < self.size:
                raise OdysseyConnectionError(
                    f"{self._artifact.doing}: the answer ended after {here} of {self.size} bytes"
                )
            self._chunk, self._chunk_at = chunk, here
            self._tries.reached(here + len(chunk))
            if not chunk or self._at < here + len(chunk):
                return bool(chunk)

    def _reopen(self, deadline: Deadline) -> bool:
        """Asks for the file from the present position on."""
        if self._body is not None:
            self.close()
            self._tries.begin_at(self._at)
        self._chunk, self._chunk_at = b"", self._at
        if self._at and not self._resumable:
            raise NotResumableError(
                f"{self._artifact.doing}: the storage can't go on in the middle"
            )
        ranged = self._seekable or self._at > 0
        body = self._artifact.open(self._at, self._tag, deadline, ranged=ranged)
        problem = self._problem(body)
        if problem is not None:
            # A whole file is good for whoever starts over: not in the middle of random access.
            if body.at == 0 and not (self._seekable and self.size is not None):
                raise NotResumableError(problem, body)
            body.close()
            raise NotResumableError(problem)
        self._body, self._tag = body, body.tag
        self.size = self.size if body.total is None else body.total
        self._resumable = self._resumable and body.resumable
        return True

    def _problem(self, body: Body) -> str | None:
        """Why an answer doesn't go on where this stands, in the same file; None if it does."""
        doing = self._artifact.doing
        if body.at != self._at or (self._seekable and not body.ranged):
            return f"{doing}: the storage doesn't go on at byte {self._at}"
        if self._seekable and body.total is None:
            return f"{doing}: the storage doesn't tell its length"
        other = None not in (self._tag, body.tag) and self._tag != body.tag
        if other or (self.size is not None and body.total not in (None, self.size)):
            return f"{doing}: it has changed meanwhile"
        return None
