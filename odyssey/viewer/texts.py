"""What the service says, as the page shows it: printable, and of bounded length."""

from __future__ import annotations

import datetime
import re
from typing import Any
from urllib.parse import quote

import attrs

from odyssey._checks import path_segment
from odyssey.errors import printable
from odyssey.models import StreamRecordingInfo

_LONGEST_ID = 200
_LONGEST_FILE_NAME = 60
#: Beyond that a length or a side is no length or side.
_MOST = 10_000_000
_UNKNOWN = "?"
_TIMES = "\N{MULTIPLICATION SIGN}"


def seconds_text(value: float | None) -> str:
    """`12.3 s`."""
    return _UNKNOWN if value is None or not 0 <= value < _MOST else f"{value:.1f} s"


def count_text(value: int | None) -> str:
    """A count or a number of pixels."""
    return _UNKNOWN if value is None or not 0 <= value < _MOST else str(value)


def local_time(text: str | None) -> str:
    """A time of the service as local time; a text that is none, or out of reach, as it is."""
    if text is None:
        return _UNKNOWN
    try:
        time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return time.astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return printable(text, 40)


def file_name_header(stream_id: str, ending: str) -> dict[str, str]:
    """The parameters of `Content-Disposition` that name a file after a stream."""
    name = re.sub(r"[^\w.-]", "_", stream_id)[:_LONGEST_FILE_NAME].lstrip(".-") or "recording"
    plain = re.sub(r"[^\x20-\x7e]", "_", name)
    fields = {"filename": plain + ending}
    return fields if name == plain else fields | {"filename*": f"UTF-8''{quote(name + ending)}"}


@attrs.frozen
class Card:
    """A recording in the grid.

    Attributes:
        stream_id: None where it can be in no address.
    """

    stream_id: str | None
    length: str
    size: str
    is_wide: bool
    started: str

    @classmethod
    def of(cls, info: StreamRecordingInfo) -> Card:
        running = info.duration_seconds is None
        return cls(
            stream_id=usable_id(info.stream_id),
            length="running" if running else seconds_text(info.duration_seconds),
            size=f"{count_text(info.width)}{_TIMES}{count_text(info.height)}",
            is_wide=(info.width or 0) > (info.height or 0),
            started=local_time(info.started_at),
        )


@attrs.frozen
class Event:
    """A line of a recording's log on the timeline and in the list; the log may hold anything.

    Attributes:
        seconds: None where it has no time that one could jump to.
        percent: Of the recording's length.
    """

    seconds: float | None
    percent: float
    type: str
    text: str

    @classmethod
    def of(cls, event: dict[str, Any], length: float) -> Event:
        seconds = _seconds(event.get("timestamp_ms"))
        share = min(1.0, seconds / length) if seconds is not None and length > 0 else 0.0
        kind, prompt, reason = event.get("type"), event.get("prompt"), event.get("reason")
        text = next((text for text in (prompt, reason) if isinstance(text, str) and text), "")
        return cls(
            seconds=seconds,
            percent=round(100 * share, 2),
            type=printable(kind, 40) if isinstance(kind, str) else _UNKNOWN,
            text=printable(text),
        )

    @property
    def time(self) -> str:
        return seconds_text(self.seconds)


def usable_id(stream_id: str) -> str | None:
    """The id if it can be in an address of the viewer."""
    try:
        path_segment(stream_id)
    except ValueError:
        return None
    return None if "/" in stream_id or len(stream_id) > _LONGEST_ID else stream_id


def _seconds(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return milliseconds / 1000 if 0 <= milliseconds < _MOST * 1000 else None
