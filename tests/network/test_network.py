"""What a client makes of bad networks: what is guaranteed, in each scenario of `scenarios.py`."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.network.network import network
from tests.network.program import Streaming
from tests.network.run import Seen, run
from tests.network.scenarios import (
    DELAY,
    DOWN_2,
    DOWN_10,
    FIVE_PERCENT,
    LOSS_AND_DELAY,
    MOVES,
    NO_ROUTE,
    NO_UDP,
    NOTHING,
    ONE_PERCENT,
    SILENT_2,
    SILENT_10,
    SILENT_10_PATIENT,
    SPARE,
    Scenario,
)
from tests.support.helpers import open_files

pytestmark = [pytest.mark.slow, pytest.mark.timing]

#: Side by side; they wait more than they work.
WORKERS = 4
#: Seconds that a stream is looked at, on top of the outage.
SECONDS = 3.0
#: Seconds within which a dead peer is noticed, and what a busy machine may add.
NOTICED = 3.0
BUSY = 1.5

# The longest ones begin.
LASTING = (SILENT_10, DOWN_10, MOVES)
SURVIVED = (SILENT_10_PATIENT, SILENT_2, DOWN_2)
STEADY = (LOSS_AND_DELAY, DELAY, FIVE_PERCENT, ONE_PERCENT, SPARE)


@pytest.fixture(scope="module")
def networks() -> None:
    """They can be made here. On CI iproute2 has to be there; elsewhere one may skip."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux and root")
    if shutil.which("ip") is None:
        missing = "ip is not installed (Debian: apt-get install iproute2)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    try:
        with network(NOTHING):
            pass
    except OSError as exc:
        pytest.skip(f"there are no network namespaces or TUN devices here ({exc})")


@pytest.fixture(scope="module")
def look(request: pytest.FixtureRequest, networks: None) -> Iterator[Callable[[Scenario], Seen]]:
    """What is seen of a scenario. Those of the tests that were selected run side by side."""
    selected: dict[Scenario, Future[Seen]] = {}
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="network") as pool:
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.module is sys.modules[__name__]:
                for scenario in item.callspec.params.values() if hasattr(item, "callspec") else ():
                    assert isinstance(scenario, Scenario)
                    selected[scenario] = pool.submit(run, scenario, SECONDS)
        yield lambda scenario: selected[scenario].result()
        pool.shutdown(cancel_futures=True)


def test_nothing_stays(networks: None) -> None:
    files, threads = open_files(), threading.active_count()
    with network(SPARE) as net:
        assert open_files() > files
        net.client_down()
    assert open_files() == files
    assert threading.active_count() == threads


@pytest.mark.parametrize("scenario", LASTING, ids=str)
def test_a_long_outage_is_noticed_soon(
    scenario: Scenario, look: Callable[[Scenario], Seen]
) -> None:
    seen = look(scenario)
    assert seen.streaming is not None
    assert seen.streaming.error == "OdysseyConnectionError"
    assert "no video came" in seen.streaming.message
    assert seen.streaming.failed_after is not None
    assert 2.0 < seen.streaming.failed_after < NOTICED + BUSY
    assert seen.streaming.interact_error == "OdysseyConnectionError"
    _connects_again(seen)


@pytest.mark.parametrize("scenario", SURVIVED, ids=str)
def test_a_short_outage_is_survived(scenario: Scenario, look: Callable[[Scenario], Seen]) -> None:
    """Also a long one, by a program that would rather wait."""
    streaming = _goes_on(look(scenario))
    assert scenario.outage - 0.1 < streaming.gap < scenario.outage + BUSY


@pytest.mark.parametrize("scenario", STEADY, ids=str)
def test_frames_keep_coming(scenario: Scenario, look: Callable[[Scenario], Seen]) -> None:
    streaming = _goes_on(look(scenario))
    assert streaming.gap < 2.5


@pytest.mark.parametrize("scenario", [NO_ROUTE], ids=str)
def test_without_a_route_connecting_fails_soon(
    scenario: Scenario, look: Callable[[Scenario], Seen]
) -> None:
    seen = look(scenario).connecting
    assert seen.error == "OdysseyConnectionError"
    assert "Network is unreachable" in seen.message
    assert seen.seconds < 3 + BUSY


@pytest.mark.parametrize("scenario", [NO_UDP], ids=str)
def test_without_udp_connecting_ends_with_its_time(
    scenario: Scenario, look: Callable[[Scenario], Seen]
) -> None:
    seen = look(scenario).connecting
    assert seen.error == "OdysseyTimeoutError"
    assert "missing: the media connection" in seen.message
    assert seen.seconds < scenario.connect_timeout + BUSY


def _goes_on(seen: Seen) -> Streaming:
    assert seen.connecting.error is None, seen.connecting.message
    assert seen.streaming is not None
    assert seen.streaming.error is None, seen.streaming.message
    assert seen.streaming.frames_per_second > 0
    assert seen.streaming.damaged == 0
    assert seen.streaming.interact_error is None
    assert seen.streaming.acknowledged > 0
    _connects_again(seen)
    return seen.streaming


def _connects_again(seen: Seen) -> None:
    assert seen.again is not None
    assert seen.again.error is None, seen.again.message
