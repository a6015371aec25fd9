"""What a forked child does not inherit: the threads that run, and hold the locks."""

from __future__ import annotations

import os
import sys
import types
import weakref
from collections.abc import Callable

from odyssey.errors import OdysseyError


class ForkGuard:
    """Knows whether this is the process that its owner was made in.

    Args:
        in_child: called in a forked child before anything else runs there: makes the owner's locks
            anew, as a thread of the parent's may have held them. A method does not keep its object.

    Attributes:
        is_here: False in a forked child.

    Example:
        ```python
        self._fork_guard = ForkGuard(self._begin)   # the child gets connections of its own
        self._fork_guard.require()                  # or is refused
        ```
    """

    def __init__(self, in_child: Callable[[], None] | None = None) -> None:
        self.is_here = True
        self._pid = os.getpid()
        self._in_child: Callable[[], Callable[[], None] | None] = (
            weakref.WeakMethod(in_child)
            if isinstance(in_child, types.MethodType)
            else lambda: in_child
        )
        _guards.add(self)

    def require(self) -> None:
        """Refuses a forked child. Called before any lock is taken.

        Raises:
            OdysseyError: this is a forked child.
        """
        if not self.is_here:
            raise self.refusal()

    def refusal(self) -> OdysseyError:
        """The error that a forked child gets."""
        return OdysseyError(
            f"this client belongs to process {self._pid} and can't be used in its forked child "
            f"{os.getpid()}: make a client of its own there"
        )

    def leave_parent(self) -> None:
        """This is a forked child now."""
        self.is_here = False
        if (in_child := self._in_child()) is not None:
            in_child()


_guards: weakref.WeakSet[ForkGuard] = weakref.WeakSet()


def _leave_parent() -> None:
    for guard in list(_guards):
        guard.leave_parent()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_leave_parent)
