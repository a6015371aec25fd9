"""Where an emulator keeps its files: a folder of the user's, or a temporary one."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["DataFolder"]


class DataFolder:
    """`with` makes it and gives its path; a temporary one (None) is removed in the end."""

    def __init__(self, given: Path | None) -> None:
        self._given = given

    def __enter__(self) -> Path:
        if self._given is not None:
            self._given.mkdir(parents=True, exist_ok=True)
            return self._given
        path = tempfile.mkdtemp(prefix="odyssey-emulator-")
        # Also at the program's end, if it comes to that.
        self._remove = weakref.finalize(self, _remove, path, os.getpid())
        return Path(path)

    def __exit__(self, *_: object) -> None:
        if self._given is None:
            self._remove()


def _remove(path: str, pid: int) -> None:
    # A forked child has what removes the folder as well, and its parent still uses it.
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)
