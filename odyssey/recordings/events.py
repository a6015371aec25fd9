"""The events of a recording: its prompts and their times."""

from __future__ import annotations

import io
import json
from typing import TypedDict, cast

from odyssey._logging import without_locals
from odyssey.errors import OdysseyServerError
from odyssey.models.fields import kind

#: Values of a log, its events included: a few bytes of JSON can take a hundred in memory.
MOST_VALUES = 1_000_000


class RecordingEvent(TypedDict, total=False):
    """A line of a recording's events log. Fields that are not listed here are kept as they are.

    Keys:
        timestamp_ms: milliseconds from the stream's start.
        type: `"start"`, `"interact"`, `"end"` or `"error"`; others may come.
        prompt: as it was sent.
        applied_prompt: as it was applied, where that differs or is known.
        reason: of an error, or of an end that nobody asked for.
        frame: index of the first frame that it affects.
    """

    timestamp_ms: int
    type: str
    prompt: str
    applied_prompt: str
    reason: str
    frame: int


@without_locals
def parse_events(body: bytes, subject: str) -> list[RecordingEvent]:
    """Parses a log in JSON lines; blank lines are skipped.

    Raises:
        OdysseyServerError: A line is broken, such as a last one that was cut, or there are more
            than `MOST_VALUES`. The text names the line; `partial` has the events before it.
    """
    events: list[RecordingEvent] = []
    values = 0
    # Not splitlines: that breaks at characters which JSON allows within a text.
    for number, line in enumerate(io.BytesIO(body), 1):
        if not line.strip():
            continue
        values += sum(line.count(mark) for mark in (b"{", b"[", b","))
        if values > MOST_VALUES:
            raise _broken(subject, number, f"there are more than {MOST_VALUES} values", events)
        try:
            event = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (ValueError, RecursionError):
            event = None  # the parser's error holds the whole line
        if event is None:
            raise _broken(subject, number, "it is no JSON object", events)
        if not isinstance(event, dict):
            raise _broken(subject, number, f"expected a JSON object, got {kind(event)}", events)
        events.append(cast(RecordingEvent, event))
    return events


def _broken(
    subject: str, number: int, what: str, before: list[RecordingEvent]
) -> OdysseyServerError:
    return OdysseyServerError(
        f"{subject} can't be read beyond line {number}: {what}; the error's `partial` has the "
        f"{len(before)} events before it",
        partial=before,
    )
