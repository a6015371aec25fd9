"""What happens to the network, as data."""

from __future__ import annotations

import attrs


@attrs.frozen
class Scenario:
    """On a good network but for what is said here.

    loss: share of the packets, in either direction, all the time.
    delay: seconds one way, all the time.
    silent: seconds in mid-stream in which no packet passes and nothing says so.
    down: seconds in mid-stream in which the client's interface is down, its address and routes
        gone.
    moves: whether it comes back with another address.
    udp: whether UDP passes.
    route: whether the client has a route to the service.
    spare: whether the client has a further interface, before the good one, without such a route.
    connect_timeout: seconds that the program allows for connecting.
    frame_timeout: as `AdvancedConfig.frame_timeout_s`; the default if it is None.
    """

    name: str
    loss: float = 0.0
    delay: float = 0.0
    silent: float = 0.0
    down: float = 0.0
    moves: bool = False
    udp: bool = True
    route: bool = True
    spare: bool = False
    connect_timeout: float = 30.0
    frame_timeout: float | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def outage(self) -> float:
        """Seconds of it, in mid-stream."""
        return self.silent or self.down


NOTHING = Scenario("nothing goes wrong")
ONE_PERCENT = Scenario("1 % loss", loss=0.01)
FIVE_PERCENT = Scenario("5 % loss", loss=0.05)
DELAY = Scenario("100 ms delay", delay=0.1)
LOSS_AND_DELAY = Scenario("5 % loss, 100 ms delay", loss=0.05, delay=0.1)
SILENT_2 = Scenario("link silent for 2 s", silent=2.0)
SILENT_10 = Scenario("link silent for 10 s", silent=10.0)
SILENT_10_PATIENT = Scenario(
    "link silent for 10 s, `frame_timeout_s=15`", silent=10.0, frame_timeout=15.0
)
DOWN_2 = Scenario("interface down for 2 s", down=2.0)
DOWN_10 = Scenario("interface down for 10 s", down=10.0)
MOVES = Scenario("interface down for 1 s, then with another address", down=1.0, moves=True)
SPARE = Scenario("a further interface, without a route", spare=True)
NO_ROUTE = Scenario("no route to the service", route=False)
NO_UDP = Scenario("no UDP, `timeout=5`", udp=False, connect_timeout=5.0)

SCENARIOS = (
    NOTHING,
    ONE_PERCENT,
    FIVE_PERCENT,
    DELAY,
    LOSS_AND_DELAY,
    SILENT_2,
    SILENT_10,
    SILENT_10_PATIENT,
    DOWN_2,
    DOWN_10,
    MOVES,
    SPARE,
    NO_ROUTE,
    NO_UDP,
)
