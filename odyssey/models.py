"""The service's data: connections, credentials and recordings. Each is read from JSON here."""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Mapping
from typing import Any

import attrs

from odyssey._html import video_html
from odyssey._json import Fields, wrong_answer
from odyssey._redact import redacted, shown_url


def _shown_text(text: str | None) -> str:
    return repr(text if text is None else redacted(text))


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


@attrs.frozen
class StreamerCapabilities:
    """What the streamer of a session can do.

    Attributes:
        image_to_video: whether `start_stream(image=...)` is possible.
    """

    image_to_video: bool = False

    @classmethod
    def from_json(cls, value: object) -> StreamerCapabilities:
        """Anything but an object with a true `image_to_video` reads as: it can't."""
        return cls(isinstance(value, Mapping) and value.get("image_to_video") is True)


@attrs.frozen
class ClientCredentials:
    """What a program without an API key needs to connect once: see `create_client_credentials`.

    Attributes:
        signaling_url: address of the signaling server.
        session_token: a JWT for one session; never shown in a repr.
        expires_in: seconds to connect with it, counted from its making.
        capabilities: what the streamer can do, where that is known.
        session_id: read from the token.

    Raises:
        ValueError: the token is no JWT with a `session_id`, or the address is empty.

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
    def from_dict(cls, data: Mapping[str, Any]) -> ClientCredentials:
        """The inverse of `to_dict`. `session_id` is read from the token, not from `data`.

        Raises:
            KeyError: a field is missing.
            ValueError: a field is not what it should be.
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


def _session_id(token: object) -> str:
    """The `session_id` claim of a JWT. Only the signaling server can check the signature."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        raise ValueError("session_token must be a JWT: three parts with dots between them")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("session_token must be a JWT, but its payload is no JSON") from None
    claim = payload.get("session_id") if isinstance(payload, dict) else None
    if not isinstance(claim, str) or not claim:
        raise ValueError("session_token has no session_id in its payload")
    return claim


@attrs.frozen
class BroadcastInfo:
    """Where a broadcast stream can be watched.

    Attributes:
        hls_url: HLS playlist, some seconds behind; None where the service makes none.
        webrtc_url: WHEP address for `connect_to_stream`, about a second behind.
        spectator_token: the token that goes with it; never shown in a repr.
    """

    hls_url: str | None = attrs.field(repr=shown_url)
    webrtc_url: str = attrs.field(repr=shown_url)
    spectator_token: str = attrs.field(repr=lambda _: "'…'")


@attrs.frozen
class Recording:
    """A recorded stream. The addresses are presigned: about an hour valid, without a token.

    Attributes:
        stream_id: the stream it belongs to.
        video_url: MP4, or None while there is none; so with the other three.
        events_url: the prompts and their times, one JSON object a line.
        thumbnail_url: JPEG.
        preview_url: a short, small MP4.
        frame_count: frames in the video.
        duration_seconds: its length in seconds.
    """

    stream_id: str
    video_url: str | None = attrs.field(default=None, repr=shown_url)
    events_url: str | None = attrs.field(default=None, repr=shown_url)
    thumbnail_url: str | None = attrs.field(default=None, repr=shown_url)
    preview_url: str | None = attrs.field(default=None, repr=shown_url)
    frame_count: int | None = None
    duration_seconds: float | None = None

    @classmethod
    def from_json(cls, value: object) -> Recording:
        fields = Fields.read(value, "the recording")
        return cls(
            stream_id=fields.text("stream_id"),
            video_url=fields.optional_text("video_url"),
            events_url=fields.optional_text("events_url"),
            thumbnail_url=fields.optional_text("thumbnail_url"),
            preview_url=fields.optional_text("preview_url"),
            frame_count=fields.optional_integer("frame_count"),
            duration_seconds=fields.optional_number("duration_seconds"),
        )

    def _repr_html_(self) -> str:
        """In Jupyter a recording shows its video, for as long as the address is valid.

        The page then holds the presigned address, as it must to play it; the text repr doesn't.
        """
        return video_html(self.video_url, self.thumbnail_url, repr(self))


@attrs.frozen
class StreamRecordingInfo:
    """A recording as it stands in a list.

    Attributes:
        stream_id: the stream it belongs to.
        width: pixels.
        height: pixels.
        started_at: ISO 8601.
        ended_at: ISO 8601, or None while the stream runs; so with the next.
        duration_seconds: length in seconds.
    """

    stream_id: str
    width: int
    height: int
    started_at: str
    ended_at: str | None = None
    duration_seconds: float | None = None

    @classmethod
    def from_json(cls, value: object) -> StreamRecordingInfo:
        fields = Fields.read(value, "the list of recordings")
        return cls(
            stream_id=fields.text("stream_id"),
            width=fields.integer("width"),
            height=fields.integer("height"),
            started_at=fields.text("started_at"),
            ended_at=fields.optional_text("ended_at"),
            duration_seconds=fields.optional_number("duration_seconds"),
        )


@attrs.frozen
class StreamRecordingsList:
    """One page of recordings, newest first.

    Attributes:
        recordings: the page.
        total: how many there are in all.
        limit: the longest this page could be.
        offset: how many were skipped before it.
    """

    recordings: list[StreamRecordingInfo]
    total: int
    limit: int
    offset: int

    @classmethod
    def from_json(cls, value: object) -> StreamRecordingsList:
        fields = Fields.read(value, "the list of recordings")
        recordings = fields.items("recordings", StreamRecordingInfo.from_json)
        return cls(
            recordings=recordings,
            total=fields.integer("total", len(recordings)),
            limit=fields.integer("limit", len(recordings)),
            offset=fields.integer("offset", 0),
        )


class SimulationJobStatus(str, enum.Enum):
    """Where a simulation stands. Compares equal to its text."""

    PENDING = "pending"
    """In the queue."""
    DISPATCHED = "dispatched"
    """Given to a worker."""
    PROCESSING = "processing"
    """Being rendered; from here on it can't be cancelled."""
    COMPLETED = "completed"
    """Done: its streams have recordings."""
    FAILED = "failed"
    """It went wrong: see `error_message`."""
    CANCELLED = "cancelled"
    """Cancelled before it was rendered."""

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return self in (self.COMPLETED, self.FAILED, self.CANCELLED)

    @classmethod
    def read(cls, fields: Fields) -> SimulationJobStatus:
        text = fields.text("status")
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(status.value for status in cls)
            raise wrong_answer(fields.of, f"'status' should be one of {known}") from None


@attrs.frozen
class SimulationStream(Recording):
    """The recording of one script of a simulation.

    Attributes:
        script_index: which of the job's scripts, from 0.
    """

    script_index: int = 0

    @classmethod
    def from_json(cls, value: object) -> SimulationStream:
        recording = Recording.from_json(value)
        index = Fields.read(value, "the simulation's stream").integer("script_index", 0)
        return cls(**attrs.asdict(recording), script_index=index)


@attrs.frozen
class SimulationJobInfo:
    """A simulation as it stands in a list. Times are ISO 8601, None while they have not come."""

    job_id: str
    status: SimulationJobStatus
    priority: str | None = None
    created_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)

    @classmethod
    def from_json(cls, value: object) -> SimulationJobInfo:
        fields = Fields.read(value, "the simulation")
        return cls(
            job_id=fields.text("job_id"),
            status=SimulationJobStatus.read(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
        )


@attrs.frozen
class SimulationJobDetail:
    """A simulation with all that is known of it. Times are ISO 8601.

    Attributes:
        streams: the recordings, one for each script, once it is completed.
        estimated_wait_minutes: until it begins; known when it was submitted.
    """

    job_id: str
    status: SimulationJobStatus
    priority: str | None = None
    created_at: str | None = None
    dispatched_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = attrs.field(default=None, repr=_shown_text)
    assigned_region: str | None = None
    retry_count: int = 0
    streams: list[SimulationStream] = attrs.field(factory=list)
    estimated_wait_minutes: float | None = None

    @classmethod
    def from_json(cls, value: object) -> SimulationJobDetail:
        fields = Fields.read(value, "the simulation")
        return cls(
            job_id=fields.text("job_id"),
            status=SimulationJobStatus.read(fields),
            priority=fields.optional_text("priority"),
            created_at=fields.optional_text("created_at"),
            dispatched_at=fields.optional_text("dispatched_at"),
            started_at=fields.optional_text("started_at"),
            completed_at=fields.optional_text("completed_at"),
            error_message=fields.optional_text("error_message"),
            assigned_region=fields.optional_text("assigned_region"),
            retry_count=fields.integer("retry_count", 0),
            streams=fields.items("streams", SimulationStream.from_json),
            estimated_wait_minutes=fields.optional_number("estimated_wait_minutes"),
        )


@attrs.frozen
class SimulationJobsList:
    """One page of simulations, newest first; as `StreamRecordingsList`."""

    jobs: list[SimulationJobInfo]
    total: int
    limit: int
    offset: int

    @classmethod
    def from_json(cls, value: object) -> SimulationJobsList:
        fields = Fields.read(value, "the list of simulations")
        jobs = fields.items("jobs", SimulationJobInfo.from_json)
        return cls(
            jobs=jobs,
            total=fields.integer("total", len(jobs)),
            limit=fields.integer("limit", len(jobs)),
            offset=fields.integer("offset", 0),
        )
