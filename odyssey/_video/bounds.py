"""Bounds of what is decoded, live and from files."""

from __future__ import annotations

#: The most pixels of a picture that is decoded.
MOST_PIXELS = 8192 * 8192
