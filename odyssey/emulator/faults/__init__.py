"""Failures to switch on: by name, or as classes named for what they inject.

    from odyssey.emulator import Emulator, faults

    emulator.faults.switch_on("queue", n=3)                   # faults.CATALOGUE has all names
    emulator.faults.switch_off("queue")
    emulator.faults.inject(faults.QueueBusy(), times=3)       # the next three, then off
    emulator.faults.inject(faults.FreezeVideo())              # until cleared
    emulator.faults.clear(faults.FreezeVideo)
    emulator.faults.cut_sockets()                             # now

A new fault is a new class, one `take` (or `find`) where it strikes, and a line in the catalogue.
"""

from odyssey.emulator.faults.base import Fault, Target, TimedFault
from odyssey.emulator.faults.catalogue import CATALOGUE, named
from odyssey.emulator.faults.named import NamedFault
from odyssey.emulator.faults.parameters import Parameter, Value
from odyssey.emulator.faults.rest_faults import (
    DownloadCut,
    HttpDelay,
    HttpDrop,
    HttpNotJson,
    HttpStatus,
    IceServers,
    OtherDialect,
    QueueBusy,
    RecordingDelay,
    SilentIceServer,
    SimulationFails,
    SimulationsForbidden,
    SimulationSlow,
    SimulationStuck,
    TokenRevoked,
    UrlExpired,
    UsageError,
)
from odyssey.emulator.faults.signaling_faults import (
    ConnectionLimit,
    ErrorInsteadOfOffer,
    Junk,
    NoChannel,
    NoOffer,
    NoTrack,
    PeerKilled,
    SocketCut,
    SocketDroppedBeforeOffer,
    SocketRefused,
)
from odyssey.emulator.faults.stream_faults import (
    BroadcastIncomplete,
    DuplicateReply,
    FreezeVideo,
    KeyFrameLost,
    LosePacket,
    PacketLoss,
    ResizeVideo,
    SessionTimeout,
    StreamFails,
    StreamRefused,
    SwapReplies,
    TrackEnded,
    WithholdReply,
)
from odyssey.emulator.faults.switchboard import Faults, SwitchedOn

__all__ = [
    "CATALOGUE",
    "BroadcastIncomplete",
    "ConnectionLimit",
    "DownloadCut",
    "DuplicateReply",
    "ErrorInsteadOfOffer",
    "Fault",
    "Faults",
    "FreezeVideo",
    "HttpDelay",
    "HttpDrop",
    "HttpNotJson",
    "HttpStatus",
    "IceServers",
    "Junk",
    "KeyFrameLost",
    "LosePacket",
    "NamedFault",
    "NoChannel",
    "NoOffer",
    "NoTrack",
    "OtherDialect",
    "PacketLoss",
    "Parameter",
    "PeerKilled",
    "QueueBusy",
    "RecordingDelay",
    "ResizeVideo",
    "SessionTimeout",
    "SilentIceServer",
    "SimulationFails",
    "SimulationSlow",
    "SimulationStuck",
    "SimulationsForbidden",
    "SocketCut",
    "SocketDroppedBeforeOffer",
    "SocketRefused",
    "StreamFails",
    "StreamRefused",
    "SwapReplies",
    "SwitchedOn",
    "Target",
    "TimedFault",
    "TokenRevoked",
    "TrackEnded",
    "UrlExpired",
    "UsageError",
    "Value",
    "WithholdReply",
    "named",
]
