"""Tests of `timelapse`, without a key or a network, also of what it does when the service fails.

    python -m pytest examples/testing

The plugin that comes with odyssey gives `odyssey_emulator`: the whole service, in this process. It
sets ODYSSEY_API_KEY and ODYSSEY_API_URL, so that the program connects to it as it is.
"""

from __future__ import annotations

import pytest
from timelapse import timelapse

from odyssey import OdysseyAuthError, OdysseyConnectionError
from odyssey.emulator import Emulator


@pytest.mark.usefixtures("odyssey_emulator")
def test_the_pictures_stand_side_by_side() -> None:
    strip = timelapse("A meadow", "A meadow at night", pictures=4)
    assert strip.shape == (704 // 4, 4 * 1280 // 4, 3)
    day, night = strip[:, : strip.shape[1] // 2], strip[:, -1280 // 4 :]
    assert night.mean() < day.mean()


def test_a_prompt_that_gets_lost_is_done_without(
    odyssey_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    odyssey_emulator.faults.switch_on("ack-missing")
    timelapse("A meadow", "A meadow at night", pictures=4)
    assert "going on without" in capsys.readouterr().out


def test_a_lost_connection_is_made_anew(odyssey_emulator: Emulator) -> None:
    odyssey_emulator.faults.switch_on("socket-cut", after=0.2, times=1)
    assert timelapse("A meadow", "A meadow at night", pictures=4).shape[1] == 1280


def test_one_that_is_lost_again_is_reported(odyssey_emulator: Emulator) -> None:
    odyssey_emulator.faults.switch_on("socket-cut", after=0.2)
    with pytest.raises(OdysseyConnectionError):
        timelapse("A meadow", "A meadow at night")


def test_a_refused_key_is_reported(odyssey_emulator: Emulator) -> None:
    odyssey_emulator.faults.switch_on("auth-401")
    with pytest.raises(OdysseyAuthError, match="401"):
        timelapse("A meadow", "A meadow at night")
