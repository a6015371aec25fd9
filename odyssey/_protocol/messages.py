"""Messages of the data channels and of signaling: read into classes, written from arguments."""

from __future__ import annotations

import json
from typing import Any

import attrs

from odyssey.models.raw import ReadOnlyObject, read_only


class MalformedMessage(ValueError):  # noqa: N818 - it is logged and survived, never raised to users
    """A message that is no JSON object, or lacks fields of its type. Its content isn't shown."""


@attrs.frozen
class StreamStarted:
    stream_id: str
    applied_prompt: str | None


@attrs.frozen
class UpdateAcknowledged:
    prompt: str


@attrs.frozen
class StreamEnded:
    pass


@attrs.frozen
class BroadcastReady:
    """The addresses may have a token in them, too. `raw` is the whole message."""

    hls_url: str | None = attrs.field(repr=False)
    webrtc_url: str = attrs.field(repr=False)
    spectator_token: str = attrs.field(repr=False)
    raw: ReadOnlyObject = attrs.field(factory=ReadOnlyObject, eq=False, repr=False)


@attrs.frozen
class BroadcastIncomplete:
    """Announced without its address or its token."""


@attrs.frozen
class StreamError:
    reason: str
    message: str


@attrs.frozen
class Offer:
    sdp: str = attrs.field(repr=False)


@attrs.frozen
class RemoteCandidate:
    """An ICE candidate; `candidate` is empty at the end of candidates."""

    candidate: str
    sdp_mid: str | None
    sdp_mline_index: int | None


@attrs.frozen
class SignalingError:
    reason: str


StreamerMessage = (
    StreamStarted
    | UpdateAcknowledged
    | StreamEnded
    | BroadcastReady
    | BroadcastIncomplete
    | StreamError
)
ServerMessage = Offer | RemoteCandidate | SignalingError


def read_streamer_message(data: str | bytes) -> StreamerMessage | None:
    """Reads a message of the `streamerToClient` channel; None for a type that isn't known.

    Raises:
        MalformedMessage: It can't be read.
    """
    fields = _object(data)
    kind = fields.get("type")
    if kind == "stream_started":
        return StreamStarted(_text(fields, "stream_id"), _optional(fields, "applied_prompt"))
    if kind == "update_acknowledged":
        return UpdateAcknowledged(_text(fields, "prompt"))
    if kind == "stream_ended":
        return StreamEnded()
    if kind == "broadcast_ready":
        return _broadcast(fields)
    if kind == "interactive_stream_error":
        reason = _optional(fields, "reason") or "unknown"
        return StreamError(reason, _optional(fields, "message") or "")
    return None


def read_server_message(data: str | bytes) -> ServerMessage | None:
    """Reads a message of the signaling server; None for a type that isn't known.

    Raises:
        MalformedMessage: It can't be read.
    """
    fields = _object(data)
    kind = fields.get("type")
    if kind == "offer":
        return Offer(_text(fields, "sdp"))
    if kind == "ice_candidate":
        index = fields.get("sdpMLineIndex")
        numbered = isinstance(index, int) and not isinstance(index, bool)
        return RemoteCandidate(
            _optional(fields, "candidate") or "",
            _optional(fields, "sdpMid"),
            index if numbered else None,
        )
    if kind == "error":
        return SignalingError(_optional(fields, "reason") or "unknown")
    return None


def interactive_stream_start(
    prompt: str,
    *,
    portrait: bool,
    image: str | None,
    broadcast: bool,
    bypass_prompt_expansion: bool | None,
) -> str:
    """Writes a start.

    Args:
        image: A data URL.
        bypass_prompt_expansion: None where the caller gave none: then it is not sent.
    """
    message: dict[str, Any] = {
        "type": "interactive_stream_start",
        "prompt": prompt,
        "portrait": portrait,
        "input_image_base64": image,
        "broadcast": broadcast,
    }
    if bypass_prompt_expansion is not None:
        message["bypass_vlm_expansion"] = bypass_prompt_expansion
    return json.dumps(message)


def update(prompt: str) -> str:
    return json.dumps({"type": "update", "prompt": prompt})


def interactive_stream_end() -> str:
    return json.dumps({"type": "interactive_stream_end"})


def answer(sdp: str) -> str:
    return json.dumps({"type": "answer", "sdp": sdp})


def ice_candidate(candidate: str, sdp_mid: str | None, sdp_mline_index: int) -> str:
    """Writes an ICE candidate, empty at the end of candidates."""
    return json.dumps(
        {
            "type": "ice_candidate",
            "candidate": candidate,
            "sdpMid": sdp_mid,
            "sdpMLineIndex": sdp_mline_index,
        }
    )


def keepalive() -> str:
    return json.dumps({"type": "keepalive"})


def client_disconnecting() -> str:
    return json.dumps({"type": "client_disconnecting"})


def _broadcast(fields: dict[str, Any]) -> BroadcastReady | BroadcastIncomplete:
    url, token = fields.get("webrtc_url"), fields.get("spectator_token")
    if not (isinstance(url, str) and url and isinstance(token, str) and token):
        return BroadcastIncomplete()
    return BroadcastReady(_optional(fields, "broadcast_url"), url, token, read_only(fields))


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None  # the parser's error holds the whole text, and so perhaps a token
    if fields is None:
        raise MalformedMessage(f"{len(data)} characters that are no JSON")
    if not isinstance(fields, dict):
        raise MalformedMessage(f"a JSON {type(fields).__name__} instead of an object")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedMessage(f"{fields['type']} without a text {name!r}")
    return value


def _optional(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None
