"""Ids in the paths of the REST API."""

from __future__ import annotations

from urllib.parse import quote

from odyssey.config import check_text


def path_segment(given: object, name: str = "stream_id") -> str:
    """An id as one segment of a path: whatever is in it, it can't lead to another endpoint, nor
    into another folder.
    """
    text = check_text(given, name)
    try:
        segment = quote(text, safe="")
    except UnicodeEncodeError:  # half a character
        segment = ""
    if not text.strip() or segment in ("", ".", ".."):
        raise ValueError(f"{name} must be an id that the service gave, not {text!r}")
    return segment
