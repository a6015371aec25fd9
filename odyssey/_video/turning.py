"""Rotates frames as their file's metadata says."""

from __future__ import annotations

import av
from av.filter import Graph

# Degrees counterclockwise → the filters that rotate a frame by them.
_FILTERS = {
    90: (("transpose", "cclock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "clock"),),
}


class Turning:
    """Rotates the frames of one video, as phones store them in the sensor's orientation. For one
    thread.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._made_for: object = None

    def upright(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Returns the frame, rotated if its file says so."""
        filters = _FILTERS.get(frame.rotation % 360)
        if filters is None:
            return frame
        made_for = filters, frame.width, frame.height, frame.format.name
        if self._graph is None or made_for != self._made_for:
            self._graph, self._made_for = _graph(frame, filters), made_for
        self._graph.vpush(frame)
        turned = self._graph.vpull()
        turned.pts, turned.time_base = frame.pts, frame.time_base
        return turned


def _graph(frame: av.VideoFrame, filters: tuple[tuple[str, str], ...]) -> Graph:
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    for name, args in filters:
        added = graph.add(name, args)
        last.link_to(added)
        last = added
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
