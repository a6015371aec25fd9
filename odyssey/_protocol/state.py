"""The state of a connection: what may follow what, and what it needs to be ready."""

from __future__ import annotations

import enum

from odyssey.models import ConnectionStatus

CLIENT_TO_STREAMER = "clientToStreamer"
STREAMER_TO_CLIENT = "streamerToClient"

_S = ConnectionStatus

#: From each status, those that may follow. `set_status` refuses others: a mistake in this package.
NEXT_STATUS: dict[ConnectionStatus, frozenset[ConnectionStatus]] = {
    _S.DISCONNECTED: frozenset({_S.AUTHENTICATING, _S.CONNECTING, _S.FAILED}),
    _S.AUTHENTICATING: frozenset({_S.CONNECTING, _S.FAILED, _S.DISCONNECTED}),
    _S.CONNECTING: frozenset({_S.CONNECTED, _S.RECONNECTING, _S.FAILED, _S.DISCONNECTED}),
    _S.RECONNECTING: frozenset({_S.CONNECTED, _S.RECONNECTING, _S.FAILED, _S.DISCONNECTED}),
    _S.CONNECTED: frozenset({_S.FAILED, _S.DISCONNECTED}),
    _S.FAILED: frozenset({_S.AUTHENTICATING, _S.CONNECTING, _S.DISCONNECTED}),
}


class Need(enum.Enum):
    """The parts that a connection needs to be ready."""

    SOCKET = "the signaling socket"
    OFFER = "the service's offer"
    MEDIA = "the media connection (ICE and DTLS)"
    TRACK = "the video track"
    SENDING = f"the data channel {CLIENT_TO_STREAMER}"
    RECEIVING = f"the data channel {STREAMER_TO_CLIENT}"


def describe_missing(missing: set[Need]) -> str:
    """Lists the missing parts for a message, in the order in which they usually come."""
    return ", ".join(need.value for need in Need if need in missing)
