"""Every fault by name, for Python, HTTP and the command line alike.

The parameters are the fields of the classes; here stand names, descriptions, and what a name fixes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from odyssey.emulator.faults import rest_faults as rest
from odyssey.emulator.faults import signaling_faults as signaling
from odyssey.emulator.faults import stream_faults as stream
from odyssey.emulator.faults.base import LONGEST, Fault
from odyssey.emulator.faults.named import NamedFault
from odyssey.emulator.faults.parameters import Parameter, Value

__all__ = ["CATALOGUE", "named"]

_Values = Mapping[str, Value]


def _count(name: str = "times", default: int | None = None) -> Parameter:
    return Parameter(
        name=name,
        type=int,
        default=default,
        description="on how many occasions; none: until switched off",
        least=1,
        optional=True,
    )


_TIMES, _ONCE = _count(), _count(default=1)


def _counted(
    name: str,
    description: str,
    kind: type[Fault],
    fixed: _Values | None = None,
    count: Parameter = _TIMES,
    **defaults: Value,
) -> NamedFault:
    """Makes a fault that strikes on some occasions, or on each."""
    return NamedFault(name, description, kind, fixed=fixed or {}, defaults=defaults, count=count)


def _lasting(
    name: str,
    description: str,
    kind: type[Fault],
    fixed: _Values | None = None,
    **defaults: Value,
) -> NamedFault:
    """Makes a fault that lasts until it is switched off."""
    return NamedFault(name, description, kind, fixed=fixed or {}, defaults=defaults)


def _status(name: str, description: str, path: str, status: int) -> NamedFault:
    fixed: _Values = {"path": path, "status": status, "retry_after": None}
    return _counted(name, description, rest.HttpStatus, fixed)


def _hanging(name: str, description: str, path: str) -> NamedFault:
    return _counted(name, description, rest.HttpDelay, {"path": path, "seconds": LONGEST})


def _usage(name: str, code: str) -> NamedFault:
    description = f"A session request is answered with 429, {code}"
    return _counted(name, description, rest.UsageError, {"code": code})


def _burst(status: int) -> NamedFault:
    return _counted(
        f"burst-{status}",
        f"The next n requests are answered with {status}",
        rest.HttpStatus,
        {"status": status, "retry_after": None},
        count=_count("n", 3),
        path="*",
    )


def _replies(word: str, type_: str) -> tuple[NamedFault, NamedFault]:
    late, missing = f"`{type_}` comes late", f"`{type_}` never comes"
    return (
        _counted(f"{word}-late", late, stream.WithholdReply, {"type": type_}, seconds=2.0),
        _counted(
            f"{word}-missing", missing, stream.WithholdReply, {"type": type_, "seconds": None}
        ),
    )


def _doubled(name: str, type_: str) -> NamedFault:
    return _counted(name, f"`{type_}` comes twice", stream.DuplicateReply, {"type": type_})


def _refusal(word: str, on: str) -> NamedFault:
    description = f"`{on}` is answered with `interactive_stream_error`"
    return _counted(
        f"{word}-refused", description, stream.StreamRefused, {"on": on}, reason="moderation"
    )


_START, _UPDATE, _END = get_args(stream.Request)
_STARTED, _ACKNOWLEDGED, _ENDED = get_args(stream.Reply)

_REST = (
    _status("auth-401", "The key is refused as unknown", "/auth/token", 401),
    _status("auth-403", "The key is refused as having no access", "/auth/token", 403),
    _status("auth-422", "The key is refused as malformed", "/auth/token", 422),
    _status("auth-500", "Exchanging the key for a token fails", "/auth/token", 500),
    _counted("token-revoked", "Access tokens are revoked: 401", rest.TokenRevoked),
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
        rest.HttpDelay,
        {"path": "/regions"},
        seconds=0.5,
    ),
    _hanging("regions-hanging", "The list of regions never comes", "/regions"),
    _status("regions-failing", "The list of regions fails", "/regions", 500),
    _hanging("ping-hanging", "The ping of the region is never answered", "/ping"),
    _status("config-failing", "The list of ICE servers fails", "*/config", 500),
    _hanging("config-hanging", "The list of ICE servers never comes", "*/config"),
    _lasting(
        "stun-silent", "The STUN server never answers", rest.SilentIceServer, {"kind": "stun"}
    ),
    _lasting(
        "turn-silent", "The TURN server never answers", rest.SilentIceServer, {"kind": "turn"}
    ),
    _burst(500),
    _burst(502),
    _burst(503),
    _burst(504),
    _counted(
        "burst-429",
        "The next n requests are answered with 429",
        rest.HttpStatus,
        {"status": 429},
        count=_count("n", 3),
        path="*",
        retry_after=1.0,
    ),
    _counted("not-json", "Requests are answered with 200 and HTML", rest.HttpNotJson, path="*"),
    _counted("http-slow", "Requests are answered late", rest.HttpDelay, path="*", seconds=2.0),
    _lasting(
        "other-dialect",
        "Answers have other words, nulls, and fields that nobody knows",
        rest.OtherDialect,
    ),
    _counted("http-dropped", "Requests get a cut TCP connection", rest.HttpDrop, path="*"),
)

_RECORDINGS = (
    _counted("recording-late", "A recording is ready late", rest.RecordingDelay, seconds=5.0),
    _counted(
        "download-cut",
        "The download of a recording's file is cut in the middle",
        rest.DownloadCut,
        count=_ONCE,
    ),
    _counted("url-expired", "A recording's address has expired: 403", rest.UrlExpired),
    _counted(
        "simulations-forbidden",
        "Submitting a simulation is refused: 403",
        rest.SimulationsForbidden,
    ),
    _counted("simulation-failed", "A simulation fails while it is rendered", rest.SimulationFails),
    _counted(
        "simulation-slow", "Rendering a simulation takes longer", rest.SimulationSlow, seconds=5.0
    ),
    _lasting(
        "simulation-stuck", "Simulations stay in a state", rest.SimulationStuck, state="pending"
    ),
)

_SIGNALING = (
    _counted(
        "socket-refused",
        "The signaling socket is refused",
        signaling.SocketRefused,
        count=_count(default=3),
    ),
    _counted(
        "socket-dropped",
        "The signaling socket ends before the offer",
        signaling.SocketDroppedBeforeOffer,
    ),
    _counted("no-offer", "The offer never comes", signaling.NoOffer),
    _counted(
        "error-instead-of-offer",
        "An error comes instead of the offer",
        signaling.ErrorInsteadOfOffer,
    ),
    _counted("no-channel", "The offer lacks a data channel", signaling.NoChannel),
    _counted("no-track", "The offer lacks the video track", signaling.NoTrack),
    _counted(
        "junk-socket",
        "Junk precedes messages on the signaling socket",
        signaling.Junk,
        {"on": "socket"},
    ),
    _counted(
        "junk-channel",
        "Junk precedes messages on the data channel",
        signaling.Junk,
        {"on": "channel"},
    ),
    _counted(
        "socket-cut",
        "The signaling socket ends in mid-stream, and the media with it",
        signaling.SocketCut,
    ),
    _counted(
        "peer-killed", "The peer falls silent without a word in mid-stream", signaling.PeerKilled
    ),
    _counted(
        "connection-limit",
        "The connection reaches its time limit in mid-stream: `duration_limit_reached`",
        signaling.ConnectionLimit,
    ),
)

_STREAMS = (
    *_replies("start", _STARTED),
    *_replies("ack", _ACKNOWLEDGED),
    *_replies("end", _ENDED),
    _counted(
        "acks-swapped",
        "An acknowledgement comes after the next one",
        stream.SwapReplies,
        {"type": _ACKNOWLEDGED},
    ),
    _counted(
        "acks-doubled",
        "Acknowledgements come twice",
        stream.DuplicateReply,
        {"type": _ACKNOWLEDGED},
    ),
    _doubled("starts-doubled", _STARTED),
    _doubled("ends-doubled", _ENDED),
    _refusal("start", _START),
    _refusal("interact", _UPDATE),
    _refusal("end", _END),
    _counted(
        "stream-error", "An error comes in mid-stream, and the stream goes on", stream.StreamFails
    ),
    _counted(
        "session-timeout",
        "The stream reaches its time limit: `session_timeout`",
        stream.SessionTimeout,
    ),
    _counted(
        "broadcast-incomplete",
        "A broadcast is announced without a field",
        stream.BroadcastIncomplete,
    ),
    _counted("track-ended", "The video track ends in mid-stream", stream.TrackEnded),
    _lasting(
        "video-frozen",
        "No more frames come, and the channels live on",
        stream.FreezeVideo,
        after=2.0,
    ),
    _lasting("video-resized", "The video changes its size in mid-stream", stream.ResizeVideo),
    _lasting(
        "packet-loss",
        "A share of the video's packets is lost, and of their repairs",
        stream.PacketLoss,
        share=0.05,
    ),
    _counted(
        "packet-lost", "A packet of the video is lost for good", stream.LosePacket, count=_ONCE
    ),
    _counted("key-frame-lost", "A key frame is lost for good in mid-stream", stream.KeyFrameLost),
)

CATALOGUE: Mapping[str, NamedFault] = MappingProxyType(
    {fault.name: fault for fault in (*_REST, *_SIGNALING, *_STREAMS, *_RECORDINGS)}
)


def named(name: str) -> NamedFault:
    """Returns the fault of that name.

    Raises:
        ValueError: There is none; the text lists all names.
    """
    if name not in CATALOGUE:
        raise ValueError(f"no fault is named {name!r}; there are {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[name]
