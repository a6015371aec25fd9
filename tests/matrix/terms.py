"""The terms of the table: calls, groups of faults, outcomes, rows."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from odyssey import OdysseyError


class Call(enum.Enum):
    """A blocking call, by the name under which the docs show it; in the order of a program."""

    CONNECT = "connect"
    START = "start_stream"
    INTERACT = "interact"
    GET = "frames.get"
    ITERATE = "iteration"
    END = "end_stream"
    DOWNLOAD = "recordings.download"
    WAIT = "recordings.wait"
    SIMULATION = "simulations.wait"


#: Those that ask the REST API for something.
REQUESTS = (Call.CONNECT, Call.DOWNLOAD, Call.WAIT, Call.SIMULATION)
#: Those that need a stream, and those that need a connection.
STREAMING = (Call.INTERACT, Call.GET, Call.ITERATE, Call.END)
LIVE = (Call.START, *STREAMING)

#: Seconds that a call is given whose answer never comes, and that it may take then.
SHORT_TIMEOUT = 1.0
SHORT_BOUND = 3.0
#: Seconds that every other call is given: more than any bound, so that no timeout hides an error.
LONG_TIMEOUT = 30.0
#: Seconds within which a call returns. On a machine that is much too busy the first frame of a
#: stream, whose encoders are set up then, takes the most of that.
RETURN_BOUND = 10.0


class Strikes(enum.Enum):
    """When a fault is switched on."""

    BEFORE = "before the call is made"
    DURING = "while the call waits for its answer"


class Needs(enum.Enum):
    """What there has to be for the fault to strike, besides what the call needs."""

    NOTHING = "nothing"
    TOKEN = "a bearer token, from before the fault"
    BROADCAST = "a stream that is to be broadcast"
    RECORDING = "a recording made with the fault on"
    SIMULATION = "a simulation submitted with the fault on"
    CALLBACKS = "a client connected with the condition on"


@attrs.frozen
class Group:
    """Faults that strike at the same point, and so concern the same calls."""

    title: str
    calls: tuple[Call, ...]
    strikes: Strikes = Strikes.BEFORE
    needs: Needs = Needs.NOTHING

    @property
    def other_calls(self) -> tuple[Call, ...]:
        """Those that go on as if nothing were wrong. What strikes a connection in mid-call strikes
        it between two calls as well.
        """
        struck = LIVE if self.strikes is Strikes.DURING else ()
        return tuple(call for call in Call if call not in {*self.calls, *struck})


@attrs.frozen
class Outcome:
    """What a call does.

    error: its exact class; None where the call returns.
    within: seconds, from the call's beginning or from the fault's striking.
    at_deadline: it waits as long as it may, and is therefore given a short time.
    ends_connection: whether the connection, if the call is made on one, is over then.
    by_silence: whether it comes of frames that don't come; otherwise the client is patient about
        that, so that no busy machine is taken for a dead one.
    """

    error: type[OdysseyError] | None
    within: float
    at_deadline: bool = False
    ends_connection: bool = False
    by_silence: bool = False

    @property
    def timeout(self) -> float:
        """Seconds that the call is given."""
        return SHORT_TIMEOUT if self.at_deadline else LONG_TIMEOUT


@attrs.frozen
class Row:
    """A fault with parameters, and what comes of it.

    fault: of the emulator's, or a condition around the program.
    interactions: how many wait at once, where `interact` is called.
    as_stream: whether a start is made by `with client.stream(...)`, which ends what it began.
    """

    fault: str
    group: Group
    outcomes: Mapping[Call, Outcome]
    params: Mapping[str, object]
    interactions: int = 2
    as_stream: bool = False

    def __str__(self) -> str:
        return " ".join([self.fault, *(f"{name}={value}" for name, value in self.params.items())])
