"""Files of several recordings, fetched side by side, each with its bar."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from odyssey._runtime.deadline import Deadline
from odyssey.cli._output import Screen, file_size
from odyssey.errors import OdysseyError, printable

if TYPE_CHECKING:
    from tqdm import tqdm

    from odyssey import Odyssey, Recording

ARTIFACTS = ("video", "events", "thumbnail", "preview")
#: Seconds that transfers get to notice that they are not wanted any more.
_LEAVE = 3.0
_LONGEST_NAME = 24

_Progress = Callable[[int, "int | None"], object]


@attrs.define(eq=False)
class Download:
    """A file to fetch, and what has become of it.

    Attributes:
        path: The file; None where the stream's id can't be the name of one.
        outcome: `"waiting"`, `"downloaded"`, `"there already"` or `"failed"`.
    """

    recording: Recording | str
    artifact: str
    path: Path | None
    outcome: str = "waiting"
    error: str | None = None

    @classmethod
    def planned(cls, recording: Recording | str, artifact: str, folder: Path) -> Download:
        """Named as `client.recordings.download` names it in that folder."""
        from odyssey.recordings.download import target_of

        download = cls(recording, artifact, None)
        try:
            download.path = target_of(f"{folder}/", download.stream_id, artifact)
        except ValueError as exc:  # the others are fetched all the same
            download.outcome, download.error = "failed", str(exc)
        return download

    @property
    def stream_id(self) -> str:
        return self.recording if isinstance(self.recording, str) else self.recording.stream_id

    def fetch(self, client: Odyssey, progress: _Progress) -> None:
        """Fetches the file; `outcome` says whether that failed."""
        if self.path is None:
            return
        try:
            if self.path.exists():  # downloads get their names when they are whole
                self.outcome = "there already"
                return
            client.recordings.download(self.recording, self.path, self.artifact, progress)
            self.outcome = "downloaded"
        except (OdysseyError, ValueError, OSError) as exc:
            self.outcome, self.error = "failed", " ".join(str(exc).split())

    def line(self) -> str:
        if self.error is not None or self.path is None:
            where = self.name() if self.path is None else self.path
            return f"{where}  failed: {self.error}"
        return f"{self.path}  {file_size(self.path)}  {self.outcome}"

    def name(self) -> str:
        """Returns a short name for people."""
        return _short(self.stream_id if self.path is None else self.path.name)

    def as_json(self) -> dict[str, Any]:
        return {
            "stream_id": self.stream_id,
            "artifact": self.artifact,
            "path": None if self.path is None else str(self.path),
            "outcome": self.outcome,
            "error": self.error,
        }


def fetch_all(client: Odyssey, downloads: Sequence[Download], jobs: int, screen: Screen) -> int:
    """Fetches all of them, `jobs` at a time; returns how many failed. One failure stops no other.

    Whatever ends it, Ctrl-C for example, ends the transfers; what was not whole leaves no file.
    """
    if not downloads:
        return 0
    with _Team(client, downloads, min(jobs, len(downloads))) as team:
        for done in team.finished():
            screen.say_above_bars(done.line())
    return sum(download.outcome == "failed" for download in downloads)


class _LeftError(Exception):
    """The transfer is not wanted any more."""


class _Team:
    """Threads that fetch, each with a line on the terminal for its bar; a context manager."""

    def __init__(self, client: Odyssey, downloads: Sequence[Download], jobs: int) -> None:
        from tqdm import tqdm

        self._client = client
        self._count = len(downloads)
        self._left = threading.Event()
        self._waiting: queue.SimpleQueue[Download] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Download | BaseException] = queue.SimpleQueue()
        for download in downloads:
            self._waiting.put(download)
        # Made and closed here, and used again for the next file: a bar that is closed while other
        # threads draw theirs leaves the cursor anywhere.
        self._bars = [
            tqdm(
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                position=line,
                leave=False,
                disable=not sys.stderr.isatty(),
            )
            for line in range(jobs)
        ]
        # Daemons: one that waits for a frozen server must not keep the program.
        self._threads = [
            threading.Thread(target=self._work, args=(bar,), name="odyssey-download", daemon=True)
            for bar in self._bars
        ]

    def __enter__(self) -> _Team:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        deadline = Deadline.after(_LEAVE)
        for thread in self._threads:
            thread.join(deadline.remaining())
        for bar in reversed(self._bars):  # the uppermost last: that is where the cursor belongs
            bar.close()

    def finished(self) -> Iterator[Download]:
        """Yields the files, each as soon as it is over."""
        for _ in range(self._count):
            done = self._next()
            if isinstance(done, BaseException):
                raise done
            yield done

    def _next(self) -> Download | BaseException:
        while True:
            with contextlib.suppress(queue.Empty):
                # With a timeout, because on Windows Ctrl-C doesn't wake a wait that has none.
                return self._done.get(timeout=0.5)

    def _work(self, bar: tqdm[Any]) -> None:
        def progress(done: int, total: int | None) -> None:
            if self._left.is_set():
                raise _LeftError
            bar.total = total
            bar.update(done - bar.n)

        while not self._left.is_set():
            try:
                download = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                bar.set_description_str(printable(download.name()), refresh=False)
                bar.total = None
                bar.reset()
                download.fetch(self._client, progress)
                self._done.put(download)
            except _LeftError:
                return
            except BaseException as exc:
                self._done.put(exc)
                return


def _short(name: str) -> str:
    """Returns the beginning and the end of a name, which tell files of recordings apart."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:8]}\u2026{name[8 - _LONGEST_NAME :]}"


def download_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--artifact` and `--jobs`."""
    command = click.option(
        "--jobs",
        type=click.IntRange(1, 32),
        default=4,
        show_default=True,
        help="How many at a time.",
    )(command)
    return click.option(
        "--artifact",
        "artifacts",
        type=click.Choice(ARTIFACTS),
        multiple=True,
        default=["video"],
        show_default=True,
        help="Which file of each; may be given several times.",
    )(command)
