"""Files that have their name only when they are whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def part_of(target: Path) -> Path:
    """`NAME.part`, where the file is written until it is whole."""
    return target.with_name(target.name + ".part")


def check_part(target: Path) -> None:
    """Raises `FileExistsError` where a link, or what is no file, has the part's name."""
    path = part_of(target)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a link, which is not followed" if stat.S_ISLNK(mode) else "no file"
        raise FileExistsError(f"{path} is in the way: it is {what}")


def create(path: Path) -> BinaryIO:
    """Opens a new file for writing; `FileExistsError` where the name is taken, be it by a link."""
    return path.open("xb")


class PartFile:
    """`NAME.part`, which becomes `NAME` when it is whole. A part that was left there is replaced.

    Attributes:
        path: Where to write: a new, empty file.

    Raises:
        OSError: It can't be made, or what has its name is a link or no file.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = part_of(target)
        check_part(target)
        # Deleted rather than opened: it may be another name of a file elsewhere.
        self.path.unlink(missing_ok=True)
        create(self.path).close()

    def open(self) -> BinaryIO:
        """Opens the file for reading and writing, without following a link."""
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.path, flags), "r+b")

    def rename(self) -> None:
        """Gives the file its name, in place of the file that has it."""
        self.path.replace(self._target)

    def discard(self) -> None:
        """Deletes what was written."""
        self.path.unlink(missing_ok=True)
