"""The tasks of one owner on an asyncio loop: none is forgotten, none dies in silence."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class Tasks:
    """Runs coroutines as tasks. Used on the loop's thread only.

    Args:
        on_failure: Gets what a task raised, after it was logged at ERROR. A task that is cancelled
            has not failed.

    Example:
        ```python
        self._tasks = Tasks(self._fail)
        self._tasks.spawn(self._read(socket))
        await self._tasks.cancel()
        ```
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Starts a task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def guarded(self, function: Callable[P, R]) -> Callable[P, R | None]:
        """Makes a callback of timers and foreign events fail as a task does, and never raise: it
        returns None then.
        """

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as exc:
                self._failed(exc)
                return None

        return call

    async def cancel(self, seconds: float | None = None) -> None:
        """Cancels all tasks but the one that asks, and waits for them, at most `seconds` long."""
        others = self._running - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=seconds)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(exc := task.exception(), Exception):
            self._failed(exc)

    def _failed(self, exc: Exception) -> None:
        logger.error("an unexpected %s ends the connection", type(exc).__name__, exc_info=exc)
        self._on_failure(exc)
