"""A local page for recordings and a live stream: `odyssey viewer`. Needs Flask."""

from __future__ import annotations

from odyssey.viewer.server import Viewer

__all__ = ["Viewer"]
