"""Ten videos from ten prompts: submitted at once, waited for together, downloaded side by side.

    python examples/batch_simulations.py [FOLDER]

With ODYSSEY_API_KEY in the environment the service renders them, else an emulator on this machine.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service import open_client

from odyssey import Odyssey, SimulationFailedError, SimulationJobDetail

PROMPTS = [
    *("A cat on a windowsill", "A fox in a forest at dawn", "A lighthouse in a storm"),
    *("A city street at night", "A desert at noon", "Snow on a mountain village"),
    *("A ship on a calm sea", "A meadow full of flowers", "A campfire under the stars"),
    "A train crossing a bridge",
]


def submit(client: Odyssey, prompt: str) -> SimulationJobDetail:
    script = [
        {"timestamp_ms": 0, "start": {"prompt": prompt}},
        {"timestamp_ms": 1000, "interact": {"prompt": "Rain sets in"}},
        {"timestamp_ms": 2000, "end": {}},
    ]
    return client.simulations.submit(script=script, portrait=False)


def fetch(client: Odyssey, job: SimulationJobDetail, target: Path) -> str:
    """Waits for a job and downloads its video; what came of it, in a line."""
    try:
        (stream,) = client.simulations.wait(job, interval=0.5).streams
    except SimulationFailedError as exc:  # the others go on
        return str(exc)
    path = client.recordings.download(stream, target)
    return f"{path}: {stream.frame_count} frames, {path.stat().st_size:,} bytes"


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "simulations")
    folder.mkdir(parents=True, exist_ok=True)
    with open_client() as client, ThreadPoolExecutor(len(PROMPTS)) as pool:
        # Ten is the most that an account may have queued; more go into one job with `scripts=`.
        jobs = [submit(client, prompt) for prompt in PROMPTS]
        targets = [folder / f"{prompt.replace(' ', '-').lower()}.mp4" for prompt in PROMPTS]
        for line in pool.map(lambda job, target: fetch(client, job, target), jobs, targets):
            print(line)


if __name__ == "__main__":
    main()
