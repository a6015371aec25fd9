"""The ICE servers that `/config` names: none, but for what the faults say."""

from __future__ import annotations

import socket
from typing import Any

from odyssey.emulator.faults import Faults, IceServers, SilentIceServer

__all__ = ["IceServerList"]


class IceServerList:
    """On the emulator's loop only."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._silent: socket.socket | None = None  # takes what comes and is never read

    def listed(self) -> list[dict[str, Any]]:
        """Returns the servers, as JSON."""
        given = self._faults.find(IceServers)
        servers = [dict(server) for server in given.servers] if given else []
        for fault in self._faults.active:
            if isinstance(fault, SilentIceServer):
                servers.append(self._silent_server(fault))
        return servers

    def close(self) -> None:
        if self._silent is not None:
            self._silent.close()

    def _silent_server(self, fault: SilentIceServer) -> dict[str, Any]:
        if self._silent is None:
            self._silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._silent.bind(("127.0.0.1", 0))
        url = f"{fault.kind}:127.0.0.1:{self._silent.getsockname()[1]}"
        if fault.kind == "stun":
            return {"urls": url}
        return {"urls": url, "username": "emulator", "credential": "emulator"}
