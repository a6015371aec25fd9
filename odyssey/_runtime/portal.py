"""An asyncio loop in a thread of its own, and the one way to it from other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from odyssey._runtime.background import run_in_thread
from odyssey._runtime.deadline import WAIT_SLICE, Deadline
from odyssey._runtime.fork import ForkGuard
from odyssey.errors import OdysseyConnectionError, OdysseyError, OdysseyTimeoutError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that a cancelled call may take to clean up before its caller goes on without it.
CLEAN_UP = 0.25
#: Seconds that all tasks may take to clean up at the loop's end.
END_TIMEOUT = 0.8


class Portal:
    """Runs an asyncio loop in a daemon thread. `call` runs a coroutine there and waits for it.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._fork_guard = ForkGuard()
        self._ending = False  # on the loop's thread only
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log_unhandled)
        # Name look-ups run here; the loop's own executor could only be left by joining it.
        self._loop.set_default_executor(_Resolver())
        self._is_shared = False  # with another loop: then this one does not run
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as exc:
            self._loop.close()
            raise OdysseyError(f"{name} can't be started: {exc}") from exc

    def call(
        self,
        function: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        deadline: Deadline,
        waiting_for: Callable[[], str],
    ) -> T:
        """Waits for the result of `await function(*args)`, run on the loop.

        When the deadline passes, or the caller is interrupted, the coroutine is cancelled, and has
        a moment to clean up.

        Raises:
            OdysseyTimeoutError: The deadline passed; `waiting_for()` is its text.
            OdysseyError: Called on the loop's own thread, in a forked child, or after `stop`.
        """
        self._check_usable()
        outcome, started = self._start(function, *args)
        try:
            while not outcome.done() and not deadline.passed():
                concurrent.futures.wait([outcome], deadline.within(WAIT_SLICE))
                if not self._thread.is_alive() and not outcome.done():
                    # It came between the loop's last turn and its end.
                    raise self._gone(" meanwhile")
        except BaseException:
            self._cancel(started, outcome)
            raise
        if not outcome.done():
            text = waiting_for()
            self._cancel(started, outcome)
            # The result may have come at the last moment: then it counts.
            if not outcome.done() or outcome.cancelled():
                raise OdysseyTimeoutError(text)
        try:
            return outcome.result()
        except concurrent.futures.CancelledError:
            raise OdysseyConnectionError("the client was closed meanwhile") from None

    def submit(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any
    ) -> concurrent.futures.Future[T]:
        """Runs `await function(*args)` on the loop, without waiting for the result.

        Raises:
            OdysseyError: In a forked child, or after `stop`.
        """
        self._fork_guard.require()
        return self._start(function, *args)[0]

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Runs `function` on the loop soon, without waiting."""
        self._fork_guard.require()
        self._submit(function, *args)

    def stop(self, seconds: float) -> None:
        """Ends the loop and joins its thread, at most `seconds` long. Idempotent; never raises."""
        if not self._fork_guard.is_here:
            return
        try:
            self._loop.call_soon_threadsafe(self._loop.stop)
        except RuntimeError:
            return
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _start(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any
    ) -> tuple[concurrent.futures.Future[T], list[asyncio.Task[T]]]:
        """The outcome, and a place that the task is put in when it runs."""
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        started: list[asyncio.Task[T]] = []

        def begin() -> None:
            if self._ending:  # a task made now would never run
                _cancelled(outcome)
                return
            try:
                task = self._loop.create_task(function(*args))
            except BaseException as exc:  # before there was a coroutine
                outcome.set_exception(exc)
                return
            started.append(task)
            task.add_done_callback(lambda done: _hand_over(done, outcome))

        self._submit(begin)
        return outcome, started

    def _check_usable(self) -> None:
        self._fork_guard.require()
        if threading.current_thread() is self._thread:
            raise OdysseyError(f"a blocking call on {self._thread.name} would wait for itself")

    def _submit(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            raise self._gone() from None

    def _gone(self, when: str = "") -> OdysseyError:
        """Why nothing can be run on the loop any more."""
        if not self._is_shared:
            return OdysseyConnectionError(f"the client was closed{when}")
        return OdysseyError(
            f"{self._thread.name} can't run: another event loop runs in its thread. Where gevent "
            "or eventlet has patched threads, all are one: one client at a time can be connected, "
            "and none beside an Emulator or an asyncio program; put them into processes "
            "of their own"
        )

    def _cancel(
        self, started: list[asyncio.Task[T]], outcome: concurrent.futures.Future[T]
    ) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in started])
        except RuntimeError:
            return
        concurrent.futures.wait([outcome], CLEAN_UP)

    def _run(self) -> None:
        if asyncio._get_running_loop() is not None:  # of another thread, which is this one
            self._is_shared = True
            self._loop.close()
            return
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._ending = True
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=END_TIMEOUT))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()


class _Resolver(concurrent.futures.ThreadPoolExecutor):
    """A daemon thread for each look-up. The program's end waits for the threads of a pool, and a
    name server may take long.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return run_in_thread(lambda: fn(*args, **kwargs), "odyssey-resolver")


def _hand_over(task: asyncio.Task[T], outcome: concurrent.futures.Future[T]) -> None:
    if task.cancelled():
        _cancelled(outcome)
        return
    exc = task.exception()
    if exc is not None:
        outcome.set_exception(exc)
    else:
        outcome.set_result(task.result())


def _cancelled(outcome: concurrent.futures.Future[T]) -> None:
    outcome.cancel()
    outcome.set_running_or_notify_cancel()


def _log_unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Errors of what a library does on the loop by itself: its connections may break at any time.
    Our own tasks are owned by `Tasks`, which says more.
    """
    logger.debug("on the loop: %s", context.get("message"), exc_info=context.get("exception"))
