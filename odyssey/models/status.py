"""Where a connection stands."""

from __future__ import annotations

import enum


class ConnectionStatus(str, enum.Enum):
    """Where a client's connection stands. Compares equal to its text: `status == "connected"`."""

    AUTHENTICATING = "authenticating"
    """Asking the REST API for a session."""
    CONNECTING = "connecting"
    """Opening signaling and the media connection."""
    RECONNECTING = "reconnecting"
    """A try at connecting failed; the next one is on its way."""
    CONNECTED = "connected"
    """The video track and both data channels are there."""
    DISCONNECTED = "disconnected"
    """Not connected: never yet, or ended cleanly."""
    FAILED = "failed"
    """Connecting failed, or the connection was lost."""
