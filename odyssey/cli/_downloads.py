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

from odyssey.cli._output import Screen, file_size, printable
from odyssey.errors import OdysseyError

if TYPE_CHECKING:
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
        outcome: `"waiting"`, `"downloaded"`, `"there already"` or `"failed"`.
    """

    recording: Recording | str
    artifact: str
    path: Path
    outcome: str = "waiting"
    error: str | None = None

    @classmethod
    def planned(cls, recording: Recording | str, artifact: str, folder: Path) -> Download:
        """Named as `client.recordings.download` names it in that folder."""
        from odyssey._download import target_of

        stream_id = recording if isinstance(recording, str) else recording.stream_id
        return cls(recording, artifact, target_of(f"{folder}/", stream_id, artifact))

    def fetch(self, client: Odyssey, progress: _Progress) -> None:
        """Fetches it; whether that failed stands in `outcome`."""
        if self.path.exists():  # downloads get their names when they are whole
            self.outcome = "there already"
            return
        try:
            client.recordings.download(self.recording, self.path, self.artifact, progress)
            self.outcome = "downloaded"
        except (OdysseyError, ValueError, OSError) as exc:
            self.outcome, self.error = "failed", " ".join(str(exc).split())

    def line(self) -> str:
        if self.error is not None:
            return f"{self.path}  failed: {printable(self.error)}"
        return f"{self.path}  {file_size(self.path)}  {self.outcome}"

    def as_json(self) -> dict[str, Any]:
        recording = self.recording
        return {
            "stream_id": recording if isinstance(recording, str) else recording.stream_id,
            "artifact": self.artifact,
            "path": str(self.path),
            "outcome": self.outcome,
            "error": self.error,
        }


def fetch_all(client: Odyssey, downloads: Sequence[Download], jobs: int, screen: Screen) -> int:
    """Fetches all of them, `jobs` at a time; returns how many failed. One failure stops no other.

    Whatever ends it, Ctrl-C for example, ends the transfers; what was not whole leaves no file.
    """
    if not downloads:
        return 0
    team = _Team(client, downloads, min(jobs, len(downloads)), sys.stderr.isatty())
    try:
        for done in team.finished():
            screen.say_above_bars(done.line())
    finally:
        team.leave()
    return sum(download.outcome == "failed" for download in downloads)


class _LeftError(Exception):
    """The transfer is not wanted any more."""


class _Team:
    """Threads that fetch, each with a line on the terminal for its bar."""

    def __init__(
        self, client: Odyssey, downloads: Sequence[Download], jobs: int, has_bars: bool
    ) -> None:
        self._client = client
        self._count = len(downloads)
        self._has_bars = has_bars
        self._left = threading.Event()
        self._waiting: queue.SimpleQueue[Download] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Download | BaseException] = queue.SimpleQueue()
        for download in downloads:
            self._waiting.put(download)
        # Daemons: one that waits for a frozen server must not keep the program.
        self._threads = [
            threading.Thread(
                target=self._work, args=(n,), name=f"odyssey-download-{n}", daemon=True
            )
            for n in range(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def finished(self) -> Iterator[Download]:
        """Each as soon as it is over."""
        for _ in range(self._count):
            while True:
                with contextlib.suppress(queue.Empty):
                    # With a timeout, because on Windows Ctrl-C doesn't wake a wait that has none.
                    done = self._done.get(timeout=0.5)
                    break
            if isinstance(done, BaseException):
                raise done
            yield done

    def leave(self) -> None:
        self._left.set()
        for thread in self._threads:
            thread.join(_LEAVE)

    def _work(self, line: int) -> None:
        while not self._left.is_set():
            try:
                download = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                with self._bar(download, line) as progress:
                    download.fetch(self._client, progress)
                self._done.put(download)
            except _LeftError:
                return
            except BaseException as exc:
                self._done.put(exc)
                return

    @contextlib.contextmanager
    def _bar(self, download: Download, line: int) -> Iterator[_Progress]:
        from tqdm import tqdm

        name = download.path.name
        with tqdm(
            desc=name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026",
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            position=line,
            leave=False,
            disable=not self._has_bars,
        ) as bar:

            def progress(done: int, total: int | None) -> None:
                if self._left.is_set():
                    raise _LeftError
                bar.total = total
                bar.update(done - bar.n)

            yield progress


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
