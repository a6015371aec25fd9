"""Threads for work that blocks, which go on until they are told to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

__all__ = ["Workers"]


class Workers(ThreadPoolExecutor):
    """A pool whose threads are there from the beginning, and still when the program ends.

    The one of the standard library takes no work any more as soon as the main thread is over; and
    from Python 3.12 on no thread can be started then. But recordings have to be completed.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count)  # asyncio insists on the class; its queue and threads go unused
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ending = threading.Lock()  # guards `_over`, and that no job comes after the end
        self._over = False
        self._crew = [
            threading.Thread(target=self._run, name=f"{name}_{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._crew:
            thread.start()

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(*args, **kwargs))
            except BaseException as exc:
                future.set_exception(exc)

        with self._ending:
            if self._over:
                raise RuntimeError("the threads have been told to end")
            self._jobs.put(job)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no work any more; with `wait` returns when what was taken is done."""
        assert not cancel_futures, "nobody has asked for that yet"
        with self._ending:
            if not self._over:
                self._over = True
                for _ in self._crew:
                    self._jobs.put(None)
        if wait:
            for thread in self._crew:
                thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # with what it holds: frames, streams
