"""What frames can be written to, chosen by the ending of its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from odyssey._video.writing.part import check_part

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame

_ENDINGS = (".mp4", ".gif", ".npz")


class Writer(Protocol):
    """Writes frames, then is finished or discarded; in one thread."""

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        """Appends a frame, shown from `at_ms` milliseconds after the first one on."""

    def finish(self) -> None:
        """Completes the file and gives it its name."""

    def discard(self) -> None:
        """Deletes what is half done."""


def writer_for(path: Path, width: int, height: int) -> Writer:
    """Returns a writer for frames of that size.

    Raises:
        OSError: The file can't be opened.
    """
    # Each imports what it needs and the others don't: av, Pillow, numpy.
    match path.suffix.lower():
        case ".mp4":
            from odyssey._video.writing.mp4 import Mp4Writer

            return Mp4Writer(path, width, height)
        case ".gif":
            from odyssey._video.writing.gif import GifWriter

            return GifWriter(path, width, height)
        case ".npz":
            from odyssey._video.writing.npz import NpzWriter

            return NpzWriter(path, width, height)
    from odyssey._video.writing.folder import PngFolder

    return PngFolder(path)


def takes_any_size(path: Path) -> bool:
    """Whether frames of several sizes can be in one."""
    return path.suffix.lower() not in _ENDINGS


def check_target(path: Path) -> None:
    """Refuses what can't be written to, before anything is begun.

    Raises:
        ValueError: No kind of file has that ending.
        OSError: A file or a folder is in the way, or the folder for the file is not there.
    """
    if path.is_dir() != takes_any_size(path) and path.exists():
        raise FileExistsError(f"{path} is a {'folder' if path.is_dir() else 'file'}")
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"there is something in the folder {path}; choose a new one")
    if path.is_dir() or not path.suffix:
        return
    if path.suffix.lower() not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise ValueError(
            f"{path} ends in none of {known}; a name without an ending is a folder of PNGs"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}")
    check_part(path)
