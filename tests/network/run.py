"""Runs a scenario: the emulator and the client's program in processes of their own."""

from __future__ import annotations

import contextlib
import json
import time

import attrs

from tests.network.network import SERVICE_ADDRESS, network
from tests.network.program import Connecting, Streaming
from tests.network.scenarios import Scenario
from tests.support.programs import Program
from tests.support.services import EmulatorProcess


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
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(network(scenario))
        with net.service.entered():
            service = stack.enter_context(EmulatorProcess("--host", SERVICE_ADDRESS))
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
