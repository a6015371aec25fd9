"""A service and a client in namespaces of their own, and the wire between them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tests.network.namespaces import Namespace
from tests.network.scenarios import Scenario
from tests.network.wire import Conditions, Wire, open_tun

SERVICE_ADDRESS = "10.77.2.1"
_CLIENT_NETWORK = "10.77.1.0/24"
_CLIENT_ADDRESS, _OTHER_ADDRESS = "10.77.1.2/24", "10.77.1.3/24"
_SPARE_ADDRESS = "10.88.0.2/24"  # the service knows no way to it


class Network:
    """Made by `network`."""

    def __init__(self, service: Namespace, client: Namespace, wire: Wire) -> None:
        self.service = service
        self.client = client
        self.wire = wire

    def client_up(self, address: str = _CLIENT_ADDRESS, *, route: bool = True) -> None:
        """As a network manager does it."""
        self.client.ip(f"address add {address} dev wire0")
        self.client.ip("link set wire0 up")
        if route:
            self.client.ip("route add default dev wire0")

    def client_down(self) -> None:
        """Likewise: routes go with the interface, the address is taken away."""
        self.client.ip("link set wire0 down")
        self.client.ip("address flush dev wire0")

    def begin_outage(self, scenario: Scenario) -> None:
        if scenario.silent:
            self.wire.conditions.silent = True
        if scenario.down:
            self.client_down()

    def end_outage(self, scenario: Scenario) -> None:
        if scenario.silent:
            self.wire.conditions.silent = False
        if scenario.down:
            self.client_up(_OTHER_ADDRESS if scenario.moves else _CLIENT_ADDRESS)


@contextlib.contextmanager
def network(scenario: Scenario) -> Iterator[Network]:
    """What there is before the outage, if there is one."""
    conditions = Conditions(loss=scenario.loss, delay=scenario.delay, udp=scenario.udp)
    with contextlib.ExitStack() as stack:
        service, client = stack.enter_context(Namespace()), stack.enter_context(Namespace())
        if scenario.spare:  # its candidates come first
            stack.callback(os.close, open_tun(client, "spare0"))
            client.ip(f"address add {_SPARE_ADDRESS} dev spare0")
            client.ip("link set spare0 up")
        ends = open_tun(service, "wire0"), open_tun(client, "wire0")
        made = Network(service, client, stack.enter_context(Wire(*ends, conditions)))
        service.ip(f"address add {SERVICE_ADDRESS}/24 dev wire0")
        service.ip("link set wire0 up")
        service.ip(f"route add {_CLIENT_NETWORK} dev wire0")
        made.client_up(route=scenario.route)
        yield made
