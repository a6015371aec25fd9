"""Ids in the paths of the REST API."""

from __future__ import annotations

from urllib.parse import quote

from odyssey.config import check_text


def path_segment(given: object, name: str = "stream_id") -> str:
    """An id as one segment of a path: whatever is in it, it can't lead to another endpoint."""
    text = check_text(given, name)
    if not text.strip() or text in (".", ".."):
        raise ValueError(f"{name} must be an id that the service gave, not {text!r}")
    return quote(text, safe="")
