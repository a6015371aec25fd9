"""The demo's results in numbers: as JSON and as text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from odyssey.cli._output import file_size
from odyssey.cli.demo.files import read_events
from odyssey.cli.demo.show import Show

if TYPE_CHECKING:
    from odyssey import ClientStats, Recording


@attrs.define(eq=False)
class Report:
    """The measurements of a demo.

    Attributes:
        service: `"emulator"`, or the address of the service.
        connect_ms: For `connect`.
        start_ms: For the start of the stream, to the service's word that it runs.
        stats: The client's counters at the stream's end.
        ready_s: From the stream's end to the recording being there.
        files: What was made of it, by name; None for what the service did not offer.
    """

    service: str
    show: Show
    folder: Path
    connect_ms: float
    start_ms: float
    stream_id: str
    stats: ClientStats
    recording: Recording
    ready_s: float
    files: dict[str, Path | None]

    def match_frames(self) -> None:
        """Measures how soon each prompt's first frame was received, from the numbers in the frames.

        The events log says which frame was the first that a prompt affects.
        """
        path = self.files.get("events")
        if path is None or not self.show.tally.numbered:
            return
        events = [event for event in read_events(path) if event.get("type") == "interact"]
        for steering, event in zip(self.show.steerings, events, strict=False):
            arrival = self.show.tally.arrival_of(int(event["frame"]))
            if arrival is not None:
                steering.first_frame_ms = (arrival - steering.sent_at) * 1000

    def as_json(self) -> dict[str, Any]:
        tally = self.show.tally
        return {
            "service": self.service,
            "folder": str(self.folder),
            "files": {name: path and str(path) for name, path in self.files.items()},
            "stream_id": self.stream_id,
            "width": tally.size[0],
            "height": tally.size[1],
            "connect_ms": round(self.connect_ms, 1),
            "start_ms": round(self.start_ms, 1),
            "frames": {
                "received": self.stats.frames.received,
                "read": len(tally.arrivals),
                "dropped": self.stats.frames.dropped,
                "missing": tally.missing,
            },
            "frames_per_second": round(tally.rate, 2),
            "decoded_to_array_ms": {
                "p50": round(percentile(tally.ages_ms, 50), 2),
                "p95": round(percentile(tally.ages_ms, 95), 2),
            },
            "prompts": [
                {
                    "prompt": steering.prompt,
                    "applied": steering.applied,
                    "at_seconds": round(steering.at, 3),
                    "acknowledged_ms": round(steering.acknowledged_ms, 1),
                    "first_frame_ms": rounded(steering.first_frame_ms),
                }
                for steering in self.show.steerings
            ],
            "recording": {
                "frame_count": self.recording.frame_count,
                "duration_seconds": self.recording.duration_seconds,
                "ready_after_seconds": round(self.ready_s, 2),
            },
        }

    def lines(self) -> list[str]:
        """As text."""
        tally, steerings = self.show.tally, self.show.steerings
        width, height = tally.size
        frames = self.stats.frames
        missing = "" if tally.missing is None else f", {tally.missing} missing in their numbering"
        rows = [
            ("connecting", f"{self.connect_ms:.0f} ms; starting the stream {self.start_ms:.0f} ms"),
            ("frames", f"{frames.received} received, {frames.dropped} dropped{missing}"),
            ("rate", f"{tally.rate:.1f} a second, {width}x{height}"),
            (
                "latency",
                f"p50 {percentile(tally.ages_ms, 50):.1f} ms, "
                f"p95 {percentile(tally.ages_ms, 95):.1f} ms",
            ),
            ("", "from a frame's decoding to its RGB array in hand; no network in it"),
        ]
        if steerings:
            acknowledged = _list_ms([steering.acknowledged_ms for steering in steerings])
            rows.append(("prompts", f"acknowledged {acknowledged} after sending"))
        seen = [s.first_frame_ms for s in steerings if s.first_frame_ms is not None]
        if seen:
            rows.append(("", f"next painted frame decoded {_list_ms(seen)} after sending"))
        rows.append(("recording", self._recording_line()))
        return [f"  {name:<11} {text}" for name, text in rows]

    def file_lines(self) -> list[str]:
        return [
            f"  {path.name:<18}{file_size(path):>9}"
            for path in self.files.values()
            if path is not None
        ]

    def _recording_line(self) -> str:
        count, seconds = self.recording.frame_count, self.recording.duration_seconds
        length = "" if seconds is None else f", {seconds:.2f} s"
        shown = "?" if count is None else count
        return f"{shown} frames{length}, ready {self.ready_s:.1f} s after the stream's end"


def _list_ms(times: list[float]) -> str:
    return ", ".join(f"{time:.1f}" for time in times) + " ms"


def percentile(values: list[float], percent: float) -> float:
    """Returns the smallest value that so many per cent of the values don't exceed; nan of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
