from __future__ import annotations

import logging

import pytest

from odyssey._live.event_queue import LIFECYCLE, MOST_ERRORS, MOST_EVENTS, Event, EventQueue


def drained(events: EventQueue) -> list[Event]:
    """What waits, up to the end that is put here."""
    events.end()
    return list(iter(events.get, None))


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("on_interact_acknowledged", MOST_EVENTS),
        ("on_stream_error", MOST_EVENTS),
        ("on_broadcast_ready", MOST_EVENTS),
        ("on_error", MOST_ERRORS),
    ],
)
def test_what_comes_often_is_bounded(name: str, most: int) -> None:
    events = EventQueue()
    for n in range(most + 50):
        events.put(name, (n,))
    assert drained(events) == [(name, (n,)) for n in range(most)]


@pytest.mark.parametrize("name", sorted(LIFECYCLE))
def test_what_happens_once_is_never_left_out(name: str) -> None:
    events = EventQueue()
    for n in range(MOST_EVENTS + 50):
        events.put("on_error", (n,))
        events.put(name, (n,))
    events.put("on_error", ("fatal",), fatal=True)
    waiting = drained(events)
    assert [args[0] for found, args in waiting if found == name] == [*range(MOST_EVENTS + 50)]
    assert waiting[-1] == ("on_error", ("fatal",))


def test_there_is_room_again_for_each_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    events = EventQueue()
    for n in range(MOST_ERRORS + 2):
        events.put("on_error", (n,))
    assert events.get() == ("on_error", (0,))
    events.put("on_error", ("later",))
    assert drained(events)[-1] == ("on_error", ("later",))
    assert [record.getMessage() for record in caplog.records] == [
        "callbacks are too slow: on_error is not called any more",
        "callbacks were too slow: on_error was not called 2 times",
    ]
