"""Runs a scenario: the emulator and the client's program in processes of their own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import attrs

from ..programs import Program, Service
from .network import SERVICE_ADDRESS, Network, network
from .program import Connecting, Streaming
from .scenarios import Scenario


@attrs.frozen
class Seen:
    """streaming, again: None where it didn't connect."""

    connecting: Connecting
    streaming: Streaming | None = None
    again: Connecting | None = None


def run(scenario: Scenario, seconds: float) -> Seen:
    """What a client sees of it, that looks at the stream for so many seconds, or for so many more
    after an outage.
    """
    arguments = seconds + scenario.outage, scenario.connect_timeout, scenario.frame_timeout
    script = f"from tests.network.program import main; main{arguments}"
    with network(scenario) as net, _emulator(net) as service:
        with net.client.entered(), Program(script, service) as program:
            connecting = Connecting(**json.loads(program.says()))
            if connecting.error is not None:
                return Seen(connecting)
            began = time.monotonic()
            net.begin_outage(scenario)
            program.tell(str(began))
            time.sleep(scenario.outage)
            net.end_outage(scenario)
            streaming = Streaming(**json.loads(program.says()))
            again = Connecting(**json.loads(program.ask("again")))
            return Seen(connecting, streaming, again)


@contextlib.contextmanager
def _emulator(net: Network) -> Iterator[Service]:
    command = ["-m", "odyssey", "emulator", "--host", SERVICE_ADDRESS, "--json"]
    with net.service.entered():
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            yield Service(**json.loads(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGTERM)  # it removes its files
            process.wait(15)
