"""Paths as libav takes them."""

from __future__ import annotations

import os


def libav_url(path: str | os.PathLike[str]) -> str:
    """The path for `av.open`, which takes what has a colon in it for a URL: `12:30:00.mp4`."""
    return f"file:{os.fspath(path)}"
