from __future__ import annotations

import pytest

from odyssey import Odyssey
from odyssey.emulator import Emulator
from tests.integrations.rendered import render


@pytest.fixture
def stream_ids(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three recordings of half a second, on the emulator that the environment names."""
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    with Odyssey() as client:
        return render(client, 0.5, "A fox", "A boat", "A cat")
