"""The data of a session: credentials, its streamer's capabilities, its broadcast."""

from __future__ import annotations

import base64
import contextlib
import enum
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs

from odyssey._checks import check_whole
from odyssey._logging import shown_url, without_locals
from odyssey.models.fields import Fields
from odyssey.models.model import Model


@attrs.frozen(getstate_setstate=False)
class StreamerCapabilities(Model):
    """The capabilities of a session's streamer.

    Attributes:
        image_to_video: Whether `start_stream(image=...)` is possible.
    """

    _SUBJECT: ClassVar[str] = "the session's capabilities"

    image_to_video: bool = False

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Anything but an object with a true `image_to_video` reads as: it can't."""
        return super().from_json(value if isinstance(value, Mapping) else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; reads what `from_json` reads."""
        return cls.from_json(data)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(fields.data.get("image_to_video") is True)


@attrs.frozen
class ClientCredentials:
    """Lets a program without an API key connect once; made by `create_client_credentials`.

    Attributes:
        signaling_url: Address of the signaling server.
        session_token: A JWT for one session; never shown in a repr.
        expires_in: Seconds to connect with it, counted from its making.
        capabilities: What the streamer can do, where that is known.
        session_id: Read from the token.

    Raises:
        ValueError: The token is no JWT with a `session_id`, or the address is empty.

    Example:
        ```python
        credentials = Odyssey().create_client_credentials()
        text = json.dumps(credentials.to_dict())            # send this to the other program
        Odyssey().connect_with_credentials(ClientCredentials.from_dict(json.loads(text)))
        ```
    """

    signaling_url: str = attrs.field(repr=shown_url)
    session_token: str = attrs.field(repr=lambda _: "'…'")
    expires_in: int
    capabilities: StreamerCapabilities | None = None
    session_id: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.signaling_url, str) or not self.signaling_url.strip():
            raise ValueError("signaling_url must be a non-empty str")
        check_whole(self.signaling_url, "signaling_url")
        object.__setattr__(self, "session_id", _session_id(self.session_token))

    def to_dict(self) -> dict[str, Any]:
        """As JSON that every SDK of the service reads. It carries the token in clear."""
        data: dict[str, Any] = {
            "session_id": self.session_id,
            "signaling_url": self.signaling_url,
            "session_token": self.session_token,
            "expires_in": self.expires_in,
        }
        if self.capabilities is not None:
            data["capabilities"] = {"image_to_video": self.capabilities.image_to_video}
        return data

    @classmethod
    @without_locals
    def from_dict(cls, data: Mapping[str, Any]) -> ClientCredentials:
        """Reads credentials that `to_dict` wrote. `session_id` comes from the token, not `data`.

        Raises:
            KeyError: A field is missing.
            ValueError: A field is not what it should be.
            TypeError: `data` is no mapping.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"credentials must be a mapping, not {type(data).__name__}")
        capabilities = data.get("capabilities")
        try:
            expires_in = int(data["expires_in"])
        except (TypeError, ValueError, OverflowError):
            raise ValueError("expires_in must be a whole number of seconds") from None
        return cls(
            signaling_url=data["signaling_url"],
            session_token=data["session_token"],
            expires_in=expires_in,
            capabilities=(
                None if capabilities is None else StreamerCapabilities.from_json(capabilities)
            ),
        )


# Also where one is made directly. attrs writes the method, so that it can't be decorated.
ClientCredentials.__init__ = without_locals(ClientCredentials.__init__)  # type: ignore[method-assign]


def _session_id(token: object) -> str:
    """The `session_id` claim of a JWT. Only the signaling server can check the signature."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        raise ValueError("session_token must be a JWT: three parts with dots between them")
    check_whole("".join(parts), "session_token")
    payload: object = None
    with contextlib.suppress(ValueError, RecursionError):  # errors that hold the text
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not isinstance(payload, dict):
        raise ValueError("session_token must be a JWT, but its payload is no JSON object")
    claim = payload.get("session_id")
    if not isinstance(claim, str) or not claim:
        raise ValueError("session_token has no session_id in its payload")
    return claim


@attrs.frozen(getstate_setstate=False)
class BroadcastInfo(Model):
    """The addresses at which a broadcast stream can be watched.

    Attributes:
        hls_url: HLS playlist, some seconds behind; None where the service makes none.
        webrtc_url: WHEP address for `connect_to_stream`, about a second behind.
        spectator_token: The token that goes with it; never shown in a repr.
    """

    _SUBJECT: ClassVar[str] = "the broadcast"

    hls_url: str | None = attrs.field(repr=shown_url)
    webrtc_url: str = attrs.field(repr=shown_url)
    spectator_token: str = attrs.field(repr=lambda _: "'…'")

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        return cls(
            hls_url=fields.optional_text("broadcast_url"),
            webrtc_url=fields.text("webrtc_url"),
            spectator_token=fields.text("spectator_token"),
        )


class ConnectionStatus(enum.StrEnum):
    """The status of a client's connection. Compares equal to its text: `status == "connected"`."""

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
