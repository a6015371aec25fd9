"""Files that have their name only when they are whole."""

from __future__ import annotations

from pathlib import Path


class PartFile:
    """`NAME.part`, which becomes `NAME` when it is whole.

    Attributes:
        path: Where to write.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(target.name + ".part")

    def rename(self) -> None:
        """Gives the file its name, in place of the file that has it."""
        self.path.replace(self._target)

    def discard(self) -> None:
        """Deletes what was written."""
        self.path.unlink(missing_ok=True)
