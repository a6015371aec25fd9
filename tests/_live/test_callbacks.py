from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from odyssey import Odyssey, OdysseyError
from odyssey._live import callbacks as _callbacks
from odyssey._live import event_queue as _event_queue
from odyssey._live.callbacks import FRAME_BACKLOG, Callbacks, OdysseyEventHandlers
from odyssey._live.event_queue import MOST_ERRORS
from odyssey._runtime.deadline import Deadline
from tests.support.helpers import our_threads, wait_until
from tests.support.pictures import frame

Start = Callable[..., Callbacks]


@pytest.fixture
def start() -> Iterator[Start]:
    """Callbacks with these handlers; finished and joined in the end."""
    started: list[Callbacks] = []

    def start(**handlers: Any) -> Callbacks:
        started.append(Callbacks(OdysseyEventHandlers(**handlers)))
        return started[-1]

    yield start
    for callbacks in started:
        callbacks.finish()
        callbacks.join(Deadline.after(5))


def done(callbacks: Callbacks) -> None:
    """Everything emitted has been delivered."""
    callbacks.finish()
    callbacks.join(Deadline.after(10))


# Events.


def test_events_arrive_in_order_on_a_thread_of_their_own(start: Start) -> None:
    seen: list[object] = []
    callbacks = start(
        on_stream_started=seen.append,
        on_stream_ended=lambda: seen.append(threading.current_thread().name),
        on_stream_error=lambda *args: seen.append(args),
    )
    for n in range(50):
        callbacks.emit("on_stream_started", f"s{n}")
        callbacks.emit("on_stream_error", "reason", n)
        callbacks.emit("on_stream_ended")
    done(callbacks)
    assert seen == [
        value for n in range(50) for value in (f"s{n}", ("reason", n), "odyssey-events")
    ]


def test_emitting_never_waits_for_a_callback(start: Start) -> None:
    inside, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def block(stream_id: str) -> None:
        seen.append(stream_id)
        inside.set()
        go_on.wait(10)

    callbacks = start(on_stream_started=block, on_stream_ended=lambda: seen.append("end"))
    callbacks.emit("on_stream_started", "s1")
    assert inside.wait(5)
    callbacks.emit("on_stream_ended")
    assert seen == ["s1"]
    go_on.set()
    done(callbacks)
    assert seen == ["s1", "end"]


def test_finish_delivers_what_was_emitted_then_ends_the_threads(start: Start) -> None:
    seen: list[int] = []
    callbacks = start(on_stream_ended=lambda: seen.append(1), on_video_frame=lambda _: None)
    for _ in range(5):
        callbacks.emit("on_stream_ended")
    callbacks.finish()
    callbacks.finish()
    callbacks.emit("on_stream_ended")
    callbacks.join(Deadline.after(10))
    assert seen == [1] * 5
    assert not our_threads() & {"odyssey-events", "odyssey-frames"}


def test_events_without_a_handler_are_passed_over(start: Start) -> None:
    seen: list[str] = []
    callbacks = start(on_connected=lambda: seen.append("connected"))
    callbacks.emit("on_stream_started", "s1")
    callbacks.emit("on_connected")
    callbacks.frame(frame())
    done(callbacks)
    assert seen == ["connected"]


def test_without_handlers_there_is_no_thread(start: Start) -> None:
    before = our_threads()
    callbacks = start()
    assert our_threads() == before
    callbacks.emit("on_connected")
    callbacks.frame(frame())


def test_a_callback_that_is_false_is_called_too(start: Start) -> None:
    class Empty(list[str]):
        def __call__(self) -> None:
            seen.append("called")

    seen: list[str] = []
    callbacks = start(on_connected=Empty())
    callbacks.emit("on_connected")
    done(callbacks)
    assert seen == ["called"]


@pytest.mark.parametrize("name", [a.name for a in attrs.fields(OdysseyEventHandlers)])
def test_what_cannot_be_called_is_refused_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be callable or None, not int"):
        OdysseyEventHandlers(**{name: 5})  # type: ignore[arg-type]
    with Odyssey("ody_key") as client, pytest.raises(TypeError, match=name):
        client.connect(**{name: 5})  # type: ignore[arg-type]


def test_handlers_are_the_arguments_of_connect() -> None:
    handlers = OdysseyEventHandlers(on_connected=print)
    handlers.on_error = lambda error, fatal: None
    arguments = set(vars(handlers))
    assert handlers.given() == {"on_connected": print, "on_error": handlers.on_error}
    assert arguments == set(inspect.signature(Odyssey.connect).parameters) - {"self", "timeout"}


# Exceptions.


def test_an_exception_is_logged_and_given_to_on_error(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[tuple[object, ...]] = []
    seen: list[str] = []
    failure = RuntimeError("my mistake")

    def fail(_: str) -> None:
        raise failure

    callbacks = start(
        on_stream_started=fail,
        on_stream_ended=lambda: seen.append("goes on"),
        on_error=lambda *args: errors.append(args),
    )
    callbacks.emit("on_stream_started", "s1")
    callbacks.emit("on_stream_ended")
    done(callbacks)
    assert errors == [(failure, False)]
    assert seen == ["goes on"]
    (record,) = [r for r in caplog.records if r.name == _callbacks.__name__]
    assert record.levelno == logging.ERROR
    assert "on_stream_started" in record.getMessage()
    assert "my mistake" in caplog.text
    assert "in fail" in caplog.text


@pytest.mark.parametrize("failure", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_not_even_an_exit_ends_the_thread(start: Start, failure: BaseException) -> None:
    errors: list[object] = []
    seen: list[str] = []

    def fail() -> None:
        raise failure

    callbacks = start(
        on_connected=fail,
        on_disconnected=lambda: seen.append("later"),
        on_error=lambda exc, fatal: errors.append((exc, fatal)),
    )
    callbacks.emit("on_connected")
    callbacks.emit("on_disconnected")
    done(callbacks)
    assert errors == [(failure, False)]
    assert seen == ["later"]


def test_the_last_events_exception_is_told_too(start: Start) -> None:
    """`on_disconnected` is always followed by the end."""
    errors: list[object] = []

    def fail() -> None:
        finished.wait(5)
        raise ValueError("at the end")

    finished = threading.Event()
    callbacks = start(on_disconnected=fail, on_error=lambda exc, _: errors.append(str(exc)))
    callbacks.emit("on_disconnected")
    callbacks.finish()
    finished.set()
    callbacks.join(Deadline.after(10))
    assert errors == ["at the end"]


def test_a_frame_callbacks_exception_at_the_end_is_told_too(start: Start) -> None:
    errors: list[object] = []
    inside, finished = threading.Event(), threading.Event()

    def fail(_: object) -> None:
        inside.set()
        finished.wait(5)
        raise ValueError("at the end")

    def note(exc: Exception, _: bool) -> None:
        errors.append((str(exc), threading.current_thread().name))

    callbacks = start(on_video_frame=fail, on_error=note)
    callbacks.frame(frame())
    assert inside.wait(5)
    callbacks.finish()
    finished.set()
    callbacks.join(Deadline.after(10))
    assert errors == [("at the end", "odyssey-events")]


def test_on_error_that_raises_is_logged_and_not_told_of_itself(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[object] = []

    def fail(*args: object) -> None:
        calls.append(args)
        raise RuntimeError("and again")

    callbacks = start(on_connected=fail, on_error=fail)
    callbacks.emit("on_connected")
    callbacks.emit("on_error", ValueError("fatal"), True)
    done(callbacks)
    assert len(calls) == 3
    logged = [r.getMessage() for r in caplog.records if r.name == _callbacks.__name__]
    assert logged == [
        "the callback on_connected raised",
        "the callback on_error raised",
        "the callback on_error raised",
    ]


def test_a_frame_callback_that_raises_gets_the_next_frames(start: Start) -> None:
    seen: list[int] = []
    errors: list[object] = []

    def fail(got: Any) -> None:
        seen.append(got.index)
        raise ValueError(got.index)

    callbacks = start(on_video_frame=fail, on_error=lambda exc, _: errors.append(exc.args[0]))
    for index in range(3):
        callbacks.frame(frame(index))
        wait_until(lambda n=index: len(seen) == n + 1)  # type: ignore[misc]
    done(callbacks)
    assert seen == errors == [0, 1, 2]


def test_errors_that_wait_hold_few_frames(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Each holds its frame, through the traceback."""
    caplog.set_level(logging.CRITICAL, _callbacks.__name__)  # pytest keeps what is logged
    caplog.set_level(logging.WARNING, _event_queue.__name__)
    frames: list[weakref.ref[Any]] = []
    told: list[object] = []
    go_on = threading.Event()

    def fail(got: Any) -> None:
        frames.append(weakref.ref(got))
        raise ValueError(got.index)

    def block(exc: Exception, fatal: bool) -> None:
        told.append((exc.args[0], fatal))
        assert go_on.wait(10)

    callbacks = start(on_video_frame=fail, on_error=block)
    for index in range(40):
        callbacks.frame(frame(index))
        wait_until(lambda n=index: len(frames) == n + 1)  # type: ignore[misc]
    wait_until(lambda: sum(f() is not None for f in frames) <= MOST_ERRORS + 3)
    callbacks.emit("on_error", OdysseyError("the end"), True)
    go_on.set()
    done(callbacks)
    assert told[:2] == [(0, False), (1, False)]
    assert told[-1] == ("the end", True)
    left_out = 40 + 1 - len(told)
    assert left_out >= 40 - MOST_ERRORS - 3
    assert f"on_error was not called {left_out} times" in caplog.text


# Frames.


def test_a_slow_frame_callback_drops_the_oldest_and_counts(start: Start) -> None:
    inside, go_on = threading.Event(), threading.Event()
    seen: list[int] = []
    events: list[str] = []

    def slow(got: Any) -> None:
        seen.append(got.index)
        inside.set()
        go_on.wait(10)

    callbacks = start(on_video_frame=slow, on_stream_started=events.append)
    callbacks.frame(frame(0))
    assert inside.wait(5)
    for index in range(1, 10):
        callbacks.frame(frame(index))
    callbacks.emit("on_stream_started", "not delayed")
    wait_until(lambda: events == ["not delayed"])
    assert seen == [0]
    assert callbacks.frames_dropped == 9 - FRAME_BACKLOG
    go_on.set()
    wait_until(lambda: len(seen) == 1 + FRAME_BACKLOG)
    assert seen == [0, 8, 9]
    assert callbacks.frames_delivered == 3
    assert callbacks.frames_delivered + callbacks.frames_dropped == 10


def test_frames_that_wait_at_the_end_are_counted_as_dropped(start: Start) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        inside.set()
        go_on.wait(10)

    callbacks = start(on_video_frame=slow)
    callbacks.frame(frame(0))
    assert inside.wait(5)
    callbacks.frame(frame(1))
    callbacks.finish()
    callbacks.frame(frame(2))
    go_on.set()
    callbacks.join(Deadline.after(10))
    assert (callbacks.frames_delivered, callbacks.frames_dropped) == (1, 1)


def test_frames_have_a_thread_of_their_own(start: Start) -> None:
    names: list[str] = []
    callbacks = start(on_video_frame=lambda _: names.append(threading.current_thread().name))
    callbacks.frame(frame())
    wait_until(lambda: names == ["odyssey-frames"])


# Replacing.


def test_what_is_given_later_replaces_and_the_rest_stays(start: Start) -> None:
    seen: list[str] = []
    callbacks = start(
        on_stream_started=lambda _: seen.append("first"), on_stream_ended=lambda: seen.append("end")
    )
    callbacks.emit("on_stream_started", "s1")
    wait_until(lambda: seen == ["first"])
    callbacks.replace(OdysseyEventHandlers(on_stream_started=lambda _: seen.append("second")))
    callbacks.emit("on_stream_started", "s2")
    callbacks.emit("on_stream_ended")
    done(callbacks)
    assert seen == ["first", "second", "end"]


def test_threads_start_when_there_is_something_to_call(start: Start) -> None:
    seen: list[object] = []
    callbacks = start()
    callbacks.emit("on_stream_started", "s1")  # nobody asked for it
    callbacks.replace(OdysseyEventHandlers(on_stream_ended=lambda: seen.append("end")))
    assert "odyssey-frames" not in our_threads()
    callbacks.replace(OdysseyEventHandlers(on_video_frame=lambda frame: seen.append(frame.index)))
    callbacks.frame(frame(7))
    wait_until(lambda: seen == [7])
    callbacks.emit("on_stream_ended")
    done(callbacks)
    assert seen == [7, "end"]


def test_after_the_end_nothing_starts_any_more(start: Start) -> None:
    callbacks = start()
    done(callbacks)
    callbacks.replace(
        OdysseyEventHandlers(on_video_frame=lambda frame: None, on_connected=lambda: None)
    )
    assert not our_threads() & {"odyssey-events", "odyssey-frames"}


# Joining.


@pytest.mark.parametrize("name", ["on_stream_ended", "on_video_frame"])
def test_joining_from_within_a_callback_does_not_wait_for_itself(start: Start, name: str) -> None:
    joined = threading.Event()

    def finish(*_: object) -> None:
        callbacks.finish()
        callbacks.join(Deadline.after(0.05))
        joined.set()

    callbacks = start(**{name: finish})
    if name == "on_video_frame":
        callbacks.frame(frame())
    else:
        callbacks.emit(name)
    assert joined.wait(5)


def test_joining_is_bounded(start: Start) -> None:
    go_on = threading.Event()
    callbacks = start(on_stream_ended=lambda: go_on.wait(10))
    callbacks.emit("on_stream_ended")
    callbacks.finish()
    callbacks.join(Deadline.after(0.05))
    assert "odyssey-events" in our_threads()
    go_on.set()
