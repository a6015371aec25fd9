"""Paths as libav takes them."""

from __future__ import annotations

import os


def libav_url(path: str | os.PathLike[str]) -> str:
    """Returns the path for `av.open`, which mistakes one with a colon (`12:30.mp4`) for a URL."""
    return f"file:{os.fspath(path)}"
