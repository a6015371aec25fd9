from __future__ import annotations

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator


@pytest.fixture
def stream_ids(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three recordings of half a second, on the emulator that the environment names."""
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    end = {"timestamp_ms": 500, "end": {}}
    scripts = [
        [{"timestamp_ms": 0, "start": {"prompt": prompt}}, end]
        for prompt in ("A fox", "A boat", "A cat")
    ]
    with Odyssey() as client:
        job = client.simulations.wait(client.simulations.submit(scripts=scripts))
    return [stream.stream_id for stream in job.streams]
