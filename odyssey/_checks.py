"""Checks of arguments: numbers, texts and ids."""

from __future__ import annotations

import math
import re
from urllib.parse import quote

#: A time limit of so many seconds (46 days) or more counts as none: some systems' timers end there.
NO_LIMIT = 4e6

_LONGEST_ID = 1000
#: Bytes of a name, so that with endings of files it is within the 255 that systems take.
_LONGEST_STEM = 200
#: What Windows takes for a device, whatever ending follows.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_timeout(value: object, name: str = "timeout") -> float | None:
    """Checks a number of seconds > 0, or None for no limit; else `ValueError` or `TypeError`."""
    if value is None:
        return None
    seconds = number(value, name)
    if not seconds > 0:
        raise ValueError(f"{name} must be None or a number of seconds > 0, not {value!r}")
    return seconds if seconds < NO_LIMIT else None


def check_wait(value: object, name: str = "timeout") -> float | None:
    """Checks a timeout as `check_timeout` does, but allows 0, which means not to wait."""
    if value is None:
        return None
    seconds = number(value, name)
    if not seconds >= 0:
        raise ValueError(f"{name} must be None or a number of seconds >= 0, not {value!r}")
    return seconds if seconds < NO_LIMIT else None


def check_count(value: object, name: str, least: int, most: int | None = None) -> int:
    """Checks a whole number from `least` to `most`; else `ValueError` or `TypeError`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    number: int = value.__index__()
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {number}")
    return number


def check_text(value: object, name: str) -> str:
    """Checks a text that can be sent; else `ValueError` or `TypeError`."""
    return check_whole(_check_str(value, name), name)


def _check_str(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def check_whole(text: str, name: str) -> str:
    """Refuses half characters, which can't be encoded: text cut in the middle of an emoji has them.

    Raises:
        ValueError: There is one; the message shows nothing else of the text.
    """
    half = next((c for c in text if "\ud800" <= c <= "\udfff"), None)
    if half is not None:
        raise ValueError(
            f"{name} has half a character, {half!r} at position {text.index(half)}: it can't be "
            "sent; make the text whole, or replace it with "
            "text.encode('utf-8', 'replace').decode()"
        )
    return text


def number(value: object, name: str) -> float:
    # numpy's numbers are no ints, but turn into floats without loss.
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be None or a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # an int beyond what floats reach
        number = math.inf if isinstance(value, int) and value > 0 else -math.inf
    if math.isnan(number):
        raise ValueError(f"{name} must be a number, not nan")
    return number


def path_segment(given: object, name: str = "stream_id") -> str:
    """Quotes an id as one segment of a path, which leads to no other endpoint or folder."""
    text = _check_str(given, name)
    try:
        segment = quote(text, safe="")
    except UnicodeEncodeError:  # half a character
        segment = ""
    if not text.strip() or segment in ("", ".", "..") or len(text) > _LONGEST_ID:
        raise ValueError(f"{name} must be an id that the service gave, not {_shown(text)}")
    return segment


def file_stem(given: object, name: str = "stream_id") -> str:
    """Quotes an id as the name of a file, on any system, to which an ending is added.

    Raises:
        ValueError: It can't be one: it is too long, the name of a device, or looks like an option.
    """
    stem = path_segment(given, name)
    if len(stem) > _LONGEST_STEM or stem.startswith("-") or _DEVICE.fullmatch(stem):
        raise ValueError(
            f"{name} {_shown(str(given))} can't be the name of a file; give the path of a file "
            "instead of a folder"
        )
    return stem


def _shown(text: str) -> str:
    return (
        repr(text) if len(text) <= 80 else f"{text[:40]!r} and {len(text) - 40:,} characters more"
    )
