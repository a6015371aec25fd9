"""A table of prompts is rendered, and the frames of all videos are measured, on a Ray cluster.

    python examples/ray_pipeline.py

Needs Ray: pip install "odyssey-sync[ray]". Without a cluster Ray makes one of this machine's cores.
With ODYSSEY_API_KEY in the environment the service renders the videos, else an emulator on this
machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from service import open_client

from odyssey.integrations.ray import Failures, read_recordings, simulate

PROMPTS = ["A fox in the snow at noon", "A city street at night", "A lighthouse in a storm"]

Batch = dict[str, Any]


def measure(batch: Batch) -> Batch:
    """Runs on the workers, for some frames at a time: the pictures don't leave the machine."""
    images = batch["image"]  # (n, height, width, 3) uint8
    return {
        "stream_id": batch["stream_id"],
        "brightness": np.array([image[::4, ::4].mean() for image in images]),
    }


def main() -> None:
    with open_client():  # workers make clients of their own, with the key of the environment
        table = simulate(PROMPTS, seconds=2).materialize()
        rendered = {
            row["stream_id"]: row["prompt"] for row in table.iter_rows() if row["stream_id"]
        }

        failures = Failures()
        frames = read_recordings(rendered, step=6, failures=failures)
        measured = frames.map_batches(measure, batch_size=8).groupby("stream_id").mean("brightness")
        for row in sorted(measured.take_all(), key=lambda row: float(row["mean(brightness)"])):
            print(f"{rendered[row['stream_id']]}: brightness {row['mean(brightness)']:.1f}")
        for failure in failures.list():
            print(f"{failure.stream_id}: {failure.error}: {failure.message}")


if __name__ == "__main__":
    main()
