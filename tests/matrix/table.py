"""What each fault of the emulator does to each blocking call, by the contract. The one place.

After a change: `python -m tests.matrix docs/reliability.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

from odyssey import (
    AccountSuspendedError,
    ConcurrentLimitReachedError,
    MonthlyLimitReachedError,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    RateLimitError,
    SimulationFailedError,
    StreamDurationExceededError,
)
from tests.matrix.terms import (
    LIVE,
    REQUESTS,
    RETURN_BOUND,
    SHORT_BOUND,
    STREAMING,
    Call,
    Group,
    Needs,
    Outcome,
    Row,
    Strikes,
)

TOKEN = Group("Getting the bearer token", REQUESTS)
REVOKED = Group("The bearer token, later", REQUESTS, needs=Needs.TOKEN)
API = Group("Answers of the REST API", REQUESTS)
SESSION = Group("Getting a session", (Call.CONNECT,))
CONNECTING = Group("Signaling and media, until the connection is ready", (Call.CONNECT,))
START = Group("The answer to a start", (Call.START,))
BROADCAST = Group("The announcement of a broadcast", (Call.START,), needs=Needs.BROADCAST)
INTERACT = Group("Acknowledgements", (Call.INTERACT,))
END = Group("The answer to an end", (Call.END,))
CHANNEL = Group("The data channel", LIVE)
CONNECTION = Group("The connection and its stream, in mid-call", LIVE, Strikes.DURING)
#: An end that waits has ended the stream already, and with it its time.
TIME_LIMIT = Group(
    "The stream's time, in mid-call", tuple(c for c in LIVE if c is not Call.END), Strikes.DURING
)
VIDEO = Group("The video", STREAMING)
RECORDING = Group("A recording", (Call.DOWNLOAD, Call.WAIT), needs=Needs.RECORDING)
FILES = Group("The files of a recording", (Call.DOWNLOAD,))
SIMULATION = Group("A simulation", (Call.SIMULATION,), needs=Needs.SIMULATION)

NETWORK = Group("Names and addresses", REQUESTS)
PROGRAM = Group("The program", (*REQUESTS, *LIVE))
CALLBACKS = Group("Callbacks", (Call.CONNECT, *LIVE), needs=Needs.CALLBACKS)

#: Faults that no call of the matrix meets, and what tests them.
ELSEWHERE = {
    "simulations-forbidden": "submit doesn't wait: tests/simulations/test_simulations.py",
}


def returns(within: float = RETURN_BOUND) -> Outcome:
    return Outcome(None, within)


def raises(error: type[OdysseyError], within: float = 3.0) -> Outcome:
    return Outcome(error, within)


def ends(error: type[OdysseyError] | None, within: float = 3.0) -> Outcome:
    """As the connection does."""
    return Outcome(error, within, ends_connection=True)


def gives_up(error: type[OdysseyError] = OdysseyTimeoutError) -> Outcome:
    """At the call's own deadline."""
    return Outcome(error, SHORT_BOUND, at_deadline=True)


def row(
    fault: str,
    group: Group,
    outcome: Outcome,
    but: Mapping[Call, Outcome] | None = None,
    *,
    interactions: int = 2,
    as_stream: bool = False,
    **params: object,
) -> Row:
    """One outcome for all calls of the group, `but` for these."""
    outcomes = {call: (but or {}).get(call, outcome) for call in group.calls}
    return Row(fault, group, outcomes, params, interactions, as_stream)


AUTH = raises(OdysseyAuthError)
SERVER = raises(OdysseyServerError)
UNREACHED = raises(OdysseyConnectionError)
LOST = ends(OdysseyConnectionError)
REFUSED = raises(OdysseyStreamError)
TIMES_OUT = gives_up()
#: A peer that is dead is noticed when no frame has come for 3 s.
DEAD = Outcome(OdysseyConnectionError, 6.0, ends_connection=True, by_silence=True)


def waiting_on(error: type[OdysseyError]) -> dict[Call, Outcome]:
    """What waits for something to come about waits on while the service is out of reach."""
    return {Call.WAIT: gives_up(error), Call.SIMULATION: TIMES_OUT}


READING_GOES_ON = {Call.GET: returns(), Call.ITERATE: returns()}
#: The requests that failed are over by the time of a later look.
LATER = {Call.WAIT: returns(), Call.SIMULATION: returns()}

ROWS = (
    row("auth-401", TOKEN, AUTH),
    row("auth-403", TOKEN, AUTH),
    row("auth-422", TOKEN, AUTH),
    row("auth-500", TOKEN, SERVER, waiting_on(OdysseyServerError)),
    row("token-revoked", REVOKED, returns()),
    row("burst-500", API, SERVER, LATER, n=3),
    row("burst-502", API, returns(), n=3),
    row("burst-503", API, returns(), n=3),
    row("burst-504", API, returns(), n=3),
    row("burst-429", API, returns(), n=2, retry_after=0.5),
    row("not-json", API, SERVER),
    row("http-slow", API, returns(), seconds=0.3),
    row("other-dialect", API, returns()),
    row(
        "http-dropped",
        API,
        raises(OdysseyConnectionError, 5.0),
        waiting_on(OdysseyConnectionError),
    ),
    row("queue", SESSION, returns(), n=1),
    row("queue", SESSION, TIMES_OUT, n=1000),
    row("usage-monthly-limit", SESSION, raises(MonthlyLimitReachedError)),
    row("usage-concurrent-limit", SESSION, raises(ConcurrentLimitReachedError)),
    row("usage-concurrent-limit-exceeded", SESSION, raises(ConcurrentLimitReachedError)),
    row("usage-stream-duration", SESSION, raises(StreamDurationExceededError)),
    row("usage-account-suspended", SESSION, raises(AccountSuspendedError)),
    row("usage-rate-limited", SESSION, raises(RateLimitError)),
    row("request-500", SESSION, SERVER),
    row("regions-slow", SESSION, returns()),
    row("regions-hanging", SESSION, returns()),
    row("regions-failing", SESSION, returns()),
    row("ping-hanging", SESSION, returns()),
    row("config-failing", CONNECTING, returns()),
    row("config-hanging", CONNECTING, returns()),
    row("stun-silent", CONNECTING, returns()),
    row("turn-silent", CONNECTING, returns()),
    row("socket-refused", CONNECTING, returns(), times=3),
    row("socket-refused", CONNECTING, UNREACHED, times=100),
    row("socket-refused", CONNECTING, AUTH, status=401),
    row("socket-dropped", CONNECTING, UNREACHED),
    row("no-offer", CONNECTING, TIMES_OUT),
    row("error-instead-of-offer", CONNECTING, UNREACHED),
    row("no-channel", CONNECTING, TIMES_OUT),
    row("no-track", CONNECTING, TIMES_OUT),
    row("junk-socket", CONNECTING, returns()),
    row("start-late", START, returns(), seconds=0.5),
    row("start-late", START, TIMES_OUT, as_stream=True, seconds=1.5),
    row("start-missing", START, TIMES_OUT),
    row("start-refused", START, REFUSED),
    row("starts-doubled", START, returns()),
    row("broadcast-incomplete", BROADCAST, returns()),
    row("ack-late", INTERACT, returns(), seconds=0.5),
    row("ack-missing", INTERACT, TIMES_OUT),
    row("interact-refused", INTERACT, REFUSED),
    row("acks-swapped", INTERACT, returns()),
    # Of two that wait at once, the second would take the first one's second answer for its own, in
    # other words: nothing in the protocol tells them apart.
    row("acks-doubled", INTERACT, returns(), interactions=1),
    row("end-late", END, returns(), seconds=0.5),
    row("end-missing", END, TIMES_OUT),
    row("end-refused", END, REFUSED),
    row("ends-doubled", END, returns()),
    row("junk-channel", CHANNEL, returns()),
    # `after=0`: a stream that is about to begin, or has just ended, is struck as well.
    row("socket-cut", CONNECTION, LOST, after=0),
    row("socket-cut", CONNECTION, LOST, {Call.ITERATE: ends(None)}, after=0, code=1000),
    row("peer-killed", CONNECTION, DEAD, {Call.START: TIMES_OUT}, after=0),
    row("track-ended", CONNECTION, LOST, after=0),
    row("connection-limit", CONNECTION, LOST, after=0),
    row("stream-error", CONNECTION, REFUSED, READING_GOES_ON, after=0),
    row("session-timeout", TIME_LIMIT, ends(StreamDurationExceededError)),
    row("video-frozen", VIDEO, DEAD, {Call.INTERACT: returns(), Call.END: returns()}),
    row("video-resized", VIDEO, returns()),
    row("packet-loss", VIDEO, returns()),
    row("packet-lost", VIDEO, returns()),
    row("key-frame-lost", VIDEO, returns()),
    row(
        "recording-late",
        RECORDING,
        returns(),
        {Call.DOWNLOAD: raises(OdysseyNotFoundError)},
        seconds=1.0,
    ),
    row("download-cut", FILES, returns()),
    row("url-expired", FILES, returns(), times=1),
    row("url-expired", FILES, AUTH),
    row("simulation-failed", SIMULATION, raises(SimulationFailedError, 8.0)),
    row("simulation-slow", SIMULATION, returns(), seconds=0.5),
    row("simulation-stuck", SIMULATION, TIMES_OUT),
    row("look-up slow", NETWORK, TIMES_OUT),
    row("addresses silent", NETWORK, TIMES_OUT),
    row("-W error", PROGRAM, returns()),
    row("callbacks slow", CALLBACKS, returns()),
    row("callbacks raising", CALLBACKS, returns()),
)

GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))


def row_of(name: str) -> Row:
    """The row with that fault and these parameters, as `str` gives them."""
    return next(row for row in ROWS if str(row) == name)
