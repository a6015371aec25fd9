from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Coroutine, Iterator

import pytest

from odyssey import OdysseyConnectionError, OdysseyError, OdysseyTimeoutError
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.portal import CLEAN_UP, Portal
from tests.support.helpers import in_thread, open_sockets, our_threads, wait_until


@pytest.fixture
def loop() -> Iterator[Portal]:
    loop = Portal("odyssey-media")
    yield loop
    loop.stop(5)


def frame_in(thread: threading.Thread, name: str) -> bool:
    """Whether the thread waits in `concurrent.futures`, called by a function of this name."""
    frame = sys._current_frames().get(thread.ident or 0)
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return name in names and "wait" in names


def nothing() -> str:
    return "waited for nothing"


def soon(seconds: float = 10) -> Deadline:
    return Deadline.after(seconds)


def test_the_result_comes_back(loop: Portal) -> None:
    async def work(a: int, b: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return a + b, threading.current_thread().name

    assert loop.call(work, 1, 2, deadline=soon(), waiting_for=nothing) == (3, "odyssey-media")


def test_no_deadline_waits(loop: Portal) -> None:
    async def work() -> str:
        await asyncio.sleep(0.05)
        return "done"

    assert loop.call(work, deadline=Deadline.after(None), waiting_for=nothing) == "done"


def test_the_exception_comes_back(loop: Portal) -> None:
    failure = ValueError("mine")

    async def work() -> None:
        raise failure

    with pytest.raises(ValueError, match="mine") as caught:
        loop.call(work, deadline=soon(), waiting_for=nothing)
    assert caught.value is failure


@pytest.mark.timing
def test_a_time_out_cancels_the_work_and_lets_it_clean_up(loop: Portal) -> None:
    """Not only the waiting ends: the coroutine is over when the call returns."""
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            said.append("cleaned up")
            raise

    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match="the offer is missing"):
        loop.call(work, deadline=soon(0.05), waiting_for=lambda: "the offer is missing")
    assert said == ["cleaned up"]
    assert time.monotonic() - began < 3


@pytest.mark.timing
def test_work_that_will_not_end_holds_nobody_up(loop: Portal) -> None:
    released = threading.Event()

    async def work() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue

    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError):
        loop.call(work, deadline=soon(0.05), waiting_for=nothing)
    assert time.monotonic() - began < 3
    released.set()


@pytest.mark.timing
def test_a_loop_that_is_stuck_holds_nobody_up(loop: Portal) -> None:
    """Within half a second of the deadline."""
    released = threading.Event()
    loop.post(released.wait, 10)

    async def work() -> None: ...

    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError):
        loop.call(work, deadline=soon(0.05), waiting_for=nothing)
    assert time.monotonic() - began < 0.05 + CLEAN_UP + 2
    assert CLEAN_UP < 0.5
    released.set()


def test_a_result_at_the_last_moment_counts(loop: Portal) -> None:
    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "just in time"

    assert loop.call(work, deadline=soon(0.05), waiting_for=nothing) == "just in time"


def test_a_deadline_that_has_passed(loop: Portal) -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    with pytest.raises(OdysseyTimeoutError):
        loop.call(work, deadline=soon(0), waiting_for=nothing)


def test_threads_wait_side_by_side(loop: Portal) -> None:
    together = asyncio.Event()
    inside = 0

    async def work(n: int) -> int:
        nonlocal inside
        inside += 1
        if inside == 5:
            together.set()
        await together.wait()
        return n

    got: list[int] = []

    def call(n: int) -> None:
        got.append(loop.call(work, n, deadline=soon(), waiting_for=nothing))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == [0, 1, 2, 3, 4]


def test_a_blocking_call_on_the_loop_is_refused_at_once(loop: Portal) -> None:
    async def inner() -> None: ...

    async def outer() -> None:
        loop.call(inner, deadline=Deadline.after(None), waiting_for=nothing)

    with pytest.raises(OdysseyError, match="on odyssey-media would wait for itself") as caught:
        loop.call(outer, deadline=soon(), waiting_for=nothing)
    assert not isinstance(caught.value, OdysseyTimeoutError)


@pytest.mark.timing
def test_a_callable_that_raises_before_it_is_a_coroutine(loop: Portal) -> None:
    failure = ValueError("mine")

    def wrong(_: int) -> Coroutine[object, object, None]:
        raise failure

    began = time.monotonic()
    with pytest.raises(ValueError, match="mine") as caught:
        loop.call(wrong, 1, deadline=soon(20), waiting_for=nothing)
    assert caught.value is failure
    with pytest.raises(TypeError):
        loop.call(lambda: None, deadline=soon(20), waiting_for=nothing)  # type: ignore[arg-type, return-value]
    assert time.monotonic() - began < 10


def test_submitting_does_not_wait(loop: Portal) -> None:
    go_on = asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    outcome = loop.submit(work)
    assert not outcome.done()
    loop.post(go_on.set)
    assert outcome.result(10) == "done"
    loop.stop(5)
    with pytest.raises(OdysseyConnectionError, match="closed"):
        loop.submit(work)


def test_fault_a_look_up_that_is_given_up(loop: Portal) -> None:
    """Its thread goes on, and says nothing: a traceback would fail this test."""
    answer, ended = threading.Event(), threading.Event()

    def look_up() -> None:
        answer.wait(10)
        ended.set()

    async def work() -> None:
        await asyncio.get_running_loop().run_in_executor(None, look_up)

    with pytest.raises(OdysseyTimeoutError):
        loop.call(work, deadline=soon(0.1), waiting_for=nothing)
    (thread,) = (t for t in threading.enumerate() if t.name == "odyssey-resolver")
    answer.set()
    thread.join(10)
    assert ended.is_set()


def test_posting_does_not_wait(loop: Portal) -> None:
    seen: list[object] = []
    loop.post(seen.append, 5)
    wait_until(lambda: seen == [5])


def test_stop_joins_and_cancels_what_runs() -> None:
    loop = Portal("odyssey-media")
    running, said = threading.Event(), []

    async def work() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            said.append("cancelled")

    errors: list[BaseException] = []

    def call() -> None:
        try:
            loop.call(work, deadline=Deadline.after(None), waiting_for=nothing)
        except OdysseyConnectionError as exc:
            errors.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    assert running.wait(5)
    loop.stop(5)
    assert "odyssey-media" not in our_threads()
    assert said == ["cancelled"]
    thread.join(5)
    assert not thread.is_alive()
    assert "closed" in str(errors[0])


def test_stopping_twice() -> None:
    loop = Portal("odyssey-media")
    loop.stop(5)
    loop.stop(5)


def test_after_stop_calls_raise_at_once() -> None:
    loop = Portal("odyssey-media")
    loop.stop(5)

    async def work() -> None: ...

    with pytest.raises(OdysseyConnectionError, match="closed"):
        loop.call(work, deadline=Deadline.after(None), waiting_for=nothing)
    with pytest.raises(OdysseyConnectionError, match="closed"):
        loop.post(print)


def test_a_call_while_it_ends_is_refused_and_leaves_nothing_unawaited() -> None:
    loop = Portal("odyssey-media")
    lingering, ending, called = threading.Event(), threading.Event(), threading.Event()

    async def linger() -> None:
        try:
            lingering.set()
            await asyncio.Event().wait()
        finally:
            ending.set()
            called.wait(5)

    async def never() -> None:
        raise AssertionError("it ran")

    loop.post(lambda: asyncio.ensure_future(linger()))
    assert lingering.wait(5)  # a task that is cancelled before it began would not linger
    stopping = in_thread(lambda: loop.stop(5))
    assert ending.wait(5)
    late = in_thread(lambda: loop.call(never, deadline=soon(), waiting_for=nothing))
    wait_until(lambda: any(frame_in(t, "call") for t in threading.enumerate()))
    called.set()
    with pytest.raises(OdysseyConnectionError, match="closed meanwhile"):
        late.result(5)
    stopping.result(5)
    gc.collect()  # a coroutine that was never awaited would warn, and so fail the test


def test_stopping_on_the_loop_itself_does_not_wait_for_itself() -> None:
    loop = Portal("odyssey-media")
    loop.post(loop.stop, 5.0)
    wait_until(lambda: "odyssey-media" not in our_threads())


FORKED = """
import os, sys, time, warnings
warnings.simplefilter("ignore")  # Python warns of threads in a process that forks
from odyssey import OdysseyError
from odyssey._runtime.deadline import Deadline
from odyssey._runtime.portal import Portal

async def work():
    return "works"

loop = Portal("odyssey-media")
child = os.fork()
if child == 0:
    try:
        loop.call(work, deadline=Deadline.after(None), waiting_for=lambda: "")
    except OdysseyError as exc:
        print("refused:", exc, flush=True)
    loop.stop(5)
    os._exit(0)
_, status = os.waitpid(child, 0)
print("child ended with", status)
print(loop.call(work, deadline=Deadline.after(10), waiting_for=lambda: ""))
loop.stop(5)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_is_refused_at_once_and_leaves_the_parents_loop_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKED)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    refused, ended, works = done.stdout.splitlines()
    assert refused.startswith("refused: this client belongs to process")
    assert "forked child" in refused
    assert ended == "child ended with 0"
    assert works == "works"


def test_fault_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_sockets()

    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    with pytest.raises(OdysseyError, match="odyssey-media can't be started: can't start new thr"):
        Portal("odyssey-media")
    assert open_sockets() <= before


def test_fault_threads_are_patched_and_share_one_that_runs_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As under gevent and eventlet, where a thread is a part of the one that starts it."""

    async def work() -> None: ...

    async def in_a_loop() -> Portal:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", lambda thread: thread.run())
            return Portal("odyssey-media")

    portal = asyncio.run(in_a_loop())
    with pytest.raises(OdysseyError, match="gevent or eventlet has patched threads"):
        portal.call(work, deadline=soon(), waiting_for=nothing)
    portal.stop(5)
