"""Every fault by name, for Python, HTTP and the command line alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from odyssey.emulator.faults import rest, signaling, stream
from odyssey.emulator.faults.base import Fault
from odyssey.emulator.faults.named import NamedFault
from odyssey.emulator.faults.parameters import Parameter

__all__ = ["CATALOGUE", "named"]


def _count(name: str = "times", default: int | None = None) -> Parameter:
    return Parameter(
        name=name,
        type=int,
        default=default,
        description="on how many occasions; none: until switched off",
        least=1,
        optional=True,
    )


def _seconds(default: float, description: str, name: str = "seconds") -> Parameter:
    return Parameter(
        name=name, type=float, default=default, description=description, least=0, most=86_400
    )


def _text(name: str, default: str, description: str) -> Parameter:
    return Parameter(name=name, type=str, default=default, description=description)


def _choice(name: str, description: str, *choices: str) -> Parameter:
    return Parameter(
        name=name, type=str, default=choices[0], description=description, choices=choices
    )


def _whole(name: str, default: int, description: str, least: int, most: int) -> Parameter:
    return Parameter(
        name=name, type=int, default=default, description=description, least=least, most=most
    )


_TIMES = _count()
_PATH = _text("path", "*", "of the requests, a pattern as in a shell")
_CODE = Parameter(
    name="code",
    type=int,
    default=None,
    description="with which the socket closes; none: it is cut",
    least=1000,
    most=4999,
    optional=True,
)
_AFTER = _seconds(
    2.0, "seconds from a stream's start; one that runs already is struck now", "after"
)
_SHARE = partial(Parameter, name="share", type=float, least=0)


def _lasting(
    name: str, description: str, make: Callable[..., Fault], *own: Parameter
) -> NamedFault:
    """A fault that lasts until it is switched off."""
    return NamedFault(name, description, make, own)


def _counted(
    name: str,
    description: str,
    make: Callable[..., Fault],
    *own: Parameter,
    count: Parameter = _TIMES,
) -> NamedFault:
    """A fault that strikes on some occasions, or on each."""
    return NamedFault(name, description, make, (*own, count), count)


def _status(name: str, description: str, path: str, status: int) -> NamedFault:
    return _counted(name, description, partial(rest.HttpStatus, path=path, status=status))


def _usage(name: str, code: str) -> NamedFault:
    bare = Parameter(
        name="bare", type=bool, default=False, description="the body is not under `detail`"
    )
    description = f"A session request is answered with 429, {code}"
    return _counted(name, description, partial(rest.UsageError, code=code), bare)


def _burst(status: int, *own: Parameter) -> NamedFault:
    description = f"The next n requests are answered with {status}"
    make = partial(rest.HttpStatus, status=status)
    return _counted(f"burst-{status}", description, make, *own, _PATH, count=_count("n", 3))


def _reply(word: str, type_: stream.Reply) -> tuple[NamedFault, NamedFault]:
    make = partial(stream.WithholdReply, type=type_)
    late = _seconds(2.0, "by which it is late")
    return (
        _counted(f"{word}-late", f"`{type_}` comes late", make, late),
        _counted(f"{word}-missing", f"`{type_}` never comes", make),
    )


def _refusal(word: str, on: stream.Request) -> NamedFault:
    return _counted(
        f"{word}-refused",
        f"`{on}` is answered with `interactive_stream_error`",
        partial(stream.StreamRefused, on=on),
        _text("reason", "moderation", "of the error"),
        _text("message", "injected", "of the error"),
    )


_REST = (
    _status("auth-401", "The key is refused as unknown", "/auth/token", 401),
    _status("auth-403", "The key is refused as having no access", "/auth/token", 403),
    _status("auth-422", "The key is refused as malformed", "/auth/token", 422),
    _status("auth-500", "Exchanging the key for a token fails", "/auth/token", 500),
    _counted(
        "token-revoked",
        "Access tokens are revoked: 401",
        rest.TokenRevoked,
        _seconds(2.0, "age of a token in seconds; one issued already is revoked now", "after"),
    ),
    _counted(
        "queue", "No streamer is free for n requests: 503", rest.QueueBusy, count=_count("n", 3)
    ),
    _usage("usage-monthly-limit", "MONTHLY_LIMIT_REACHED"),
    _usage("usage-concurrent-limit", "CONCURRENT_LIMIT_REACHED"),
    _usage("usage-concurrent-limit-exceeded", "CONCURRENT_LIMIT_EXCEEDED"),
    _usage("usage-stream-duration", "STREAM_DURATION_EXCEEDED"),
    _usage("usage-account-suspended", "ACCOUNT_SUSPENDED"),
    _usage("usage-rate-limited", "RATE_LIMITED"),
    _status("request-500", "A session request fails", "/sessions/request", 500),
    _counted(
        "regions-slow",
        "The list of regions comes late",
        partial(rest.HttpDelay, path="/regions"),
        _seconds(0.5, "by which it is late"),
    ),
    _counted(
        "regions-hanging",
        "The list of regions never comes",
        partial(rest.HttpDelay, path="/regions", seconds=86_400.0),
    ),
    _status("regions-failing", "The list of regions fails", "/regions", 500),
    _counted(
        "ping-hanging",
        "The ping of the region is never answered",
        partial(rest.HttpDelay, path="/ping", seconds=86_400.0),
    ),
    _status("config-failing", "The list of ICE servers fails", "*/config", 500),
    _counted(
        "config-hanging",
        "The list of ICE servers never comes",
        partial(rest.HttpDelay, path="*/config", seconds=86_400.0),
    ),
    _lasting(
        "stun-silent",
        "The STUN server never answers",
        partial(rest.SilentIceServer, kind="stun"),
    ),
    _lasting(
        "turn-silent",
        "The TURN server never answers",
        partial(rest.SilentIceServer, kind="turn"),
    ),
    _burst(500),
    _burst(502),
    _burst(503),
    _burst(504),
    _burst(429, _seconds(1.0, "of `Retry-After`", "retry_after")),
    _counted("not-json", "Requests are answered with 200 and HTML", rest.HttpNotJson, _PATH),
    _counted(
        "http-slow",
        "Requests are answered late",
        rest.HttpDelay,
        _seconds(2.0, "by which it is late"),
        _PATH,
    ),
    _counted("http-dropped", "Requests get a cut TCP connection", rest.HttpDrop, _PATH),
)

_RECORDINGS = (
    _counted(
        "recording-late",
        "A recording is ready late",
        rest.RecordingDelay,
        _seconds(5.0, "by which it is late"),
    ),
    _counted(
        "download-cut",
        "The download of a recording's file is cut in the middle",
        rest.DownloadCut,
        _SHARE(default=0.5, most=0.99, description="of what was asked for that comes"),
        count=_count(default=1),
    ),
    _counted("url-expired", "A recording's address has expired: 403", rest.UrlExpired),
    _counted(
        "simulations-forbidden",
        "Submitting a simulation is refused: 403",
        rest.SimulationsForbidden,
    ),
    _counted(
        "simulation-failed",
        "A simulation fails while it is rendered",
        rest.SimulationFails,
        _text("message", "injected", "of the error"),
    ),
    _counted(
        "simulation-slow",
        "Rendering a simulation takes longer",
        rest.SimulationSlow,
        _seconds(5.0, "by which it takes longer"),
    ),
    _lasting(
        "simulation-stuck",
        "Simulations stay in a state",
        rest.SimulationStuck,
        _choice("state", "in which they stay", "pending", "dispatched", "processing"),
    ),
)

_SIGNALING = (
    _counted(
        "socket-refused",
        "The signaling socket is refused",
        signaling.SocketRefused,
        _whole("status", 503, "of the refusal", 400, 599),
        count=_count(default=3),
    ),
    _counted(
        "socket-dropped",
        "The signaling socket ends before the offer",
        signaling.SocketDroppedBeforeOffer,
        _CODE,
    ),
    _counted("no-offer", "The offer never comes", signaling.NoOffer),
    _counted(
        "error-instead-of-offer",
        "An error comes instead of the offer",
        signaling.ErrorInsteadOfOffer,
        _text("reason", "streamer_not_available", "of the error"),
    ),
    _counted(
        "no-channel",
        "The offer lacks a data channel",
        signaling.NoChannel,
        _choice("label", "of the channel", "streamerToClient", "clientToStreamer"),
    ),
    _counted("no-track", "The offer lacks the video track", signaling.NoTrack),
    _counted(
        "junk-socket",
        "Junk precedes messages on the signaling socket",
        partial(signaling.Junk, on="socket"),
    ),
    _counted(
        "junk-channel",
        "Junk precedes messages on the data channel",
        partial(signaling.Junk, on="channel"),
    ),
    _counted(
        "socket-cut",
        "The signaling socket ends in mid-stream, and the media with it",
        signaling.SocketCut,
        _AFTER,
        _CODE,
        Parameter(name="keep_media", type=bool, default=False, description="the media go on"),
    ),
    _counted(
        "peer-killed",
        "The peer falls silent without a word in mid-stream",
        signaling.PeerKilled,
        _AFTER,
    ),
    _counted(
        "connection-limit",
        "The connection reaches its time limit in mid-stream: `duration_limit_reached`",
        signaling.ConnectionLimit,
        _AFTER,
    ),
)

_STREAMS = (
    *_reply("start", "stream_started"),
    *_reply("ack", "update_acknowledged"),
    *_reply("end", "stream_ended"),
    _counted(
        "acks-swapped",
        "An acknowledgement comes after the next one",
        partial(stream.SwapReplies, type="update_acknowledged"),
    ),
    _counted(
        "acks-doubled",
        "Acknowledgements come twice",
        partial(stream.DuplicateReply, type="update_acknowledged"),
    ),
    _counted(
        "starts-doubled",
        "`stream_started` comes twice",
        partial(stream.DuplicateReply, type="stream_started"),
    ),
    _counted(
        "ends-doubled",
        "`stream_ended` comes twice",
        partial(stream.DuplicateReply, type="stream_ended"),
    ),
    _refusal("start", "interactive_stream_start"),
    _refusal("interact", "update"),
    _refusal("end", "interactive_stream_end"),
    _counted(
        "stream-error",
        "An error comes in mid-stream, and the stream goes on",
        stream.StreamFails,
        _AFTER,
        _text("reason", "moderation", "of the error"),
        _text("message", "injected", "of the error"),
    ),
    _counted(
        "session-timeout",
        "The stream reaches its time limit: `session_timeout`",
        stream.SessionTimeout,
        _AFTER,
    ),
    _counted(
        "broadcast-incomplete",
        "A broadcast is announced without a field",
        stream.BroadcastIncomplete,
        _choice("missing", "the field", "spectator_token", "webrtc_url"),
    ),
    _counted("track-ended", "The video track ends in mid-stream", stream.TrackEnded, _AFTER),
    _lasting(
        "video-frozen", "No more frames come, and the channels live on", stream.FreezeVideo, _AFTER
    ),
    _lasting(
        "video-resized",
        "The video changes its size in mid-stream",
        stream.ResizeVideo,
        _AFTER,
        _whole("width", 480, "pixels, even; of portrait frames", 64, 2048),
        _whole("height", 832, "pixels, even; of portrait frames", 64, 2048),
    ),
    _lasting(
        "packet-loss",
        "A share of the video's packets is lost, and of their repairs",
        stream.PacketLoss,
        _SHARE(default=0.05, most=1, description="of the packets"),
    ),
    _counted(
        "packet-lost",
        "A packet of the video is lost for good",
        stream.LosePacket,
        count=_count(default=1),
    ),
    _counted(
        "key-frame-lost", "A key frame is lost for good in mid-stream", stream.KeyFrameLost, _AFTER
    ),
)

CATALOGUE: Mapping[str, NamedFault] = MappingProxyType(
    {fault.name: fault for fault in (*_REST, *_SIGNALING, *_STREAMS, *_RECORDINGS)}
)


def named(name: str) -> NamedFault:
    """The fault of that name. Raises ValueError, which lists all names, when there is none."""
    if name not in CATALOGUE:
        raise ValueError(f"no fault is named {name!r}; there are {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[name]
