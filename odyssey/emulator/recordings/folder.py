"""The folder for an emulator's files: the user's, or a temporary one."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import weakref
from pathlib import Path

__all__ = ["DataFolder", "make_private", "refuse_link"]

logger = logging.getLogger(__name__)


class DataFolder:
    """`with` makes it and gives its path; a temporary one (None) is removed in the end.

    Nobody else can look into one that is made here. One that is there stays as it is, as it may be
    the user's for other things too; what the emulator puts into it is private in any case.
    """

    def __init__(self, given: Path | None) -> None:
        self._given = given

    def __enter__(self) -> Path:
        if self._given is not None:
            self._given.parent.mkdir(parents=True, exist_ok=True)
            self._given.mkdir(mode=0o700, exist_ok=True)
            _warn_if_others_write(self._given)
            return self._given
        path = tempfile.mkdtemp(prefix="odyssey-emulator-")
        # Also at the program's end, if it comes to that.
        self._remove = weakref.finalize(self, _remove, path, os.getpid())
        return Path(path)

    def __exit__(self, *_: object) -> None:
        if self._given is None:
            self._remove()


def make_private(path: Path) -> None:
    """Makes a folder that only its owner can look into; takes the others' rights to one there.

    Raises:
        RuntimeError: A link is there.
    """
    refuse_link(path)
    path.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o700)


def refuse_link(path: Path) -> None:
    """Raises RuntimeError if a link is there: what is written could end up anywhere."""
    if path.is_symlink():
        raise RuntimeError(
            f"{path} is a symbolic link, which an emulator does not follow: remove it, or name the "
            "folder that it leads to"
        )


def _warn_if_others_write(folder: Path) -> None:
    if os.name == "posix" and folder.stat().st_mode & stat.S_IWOTH:
        logger.warning("everybody can write to %s, where the emulator keeps its files", folder)


def _remove(path: str, pid: int) -> None:
    # A forked child has what removes the folder as well, and its parent still uses it.
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)
