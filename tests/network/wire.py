"""A link between two namespaces that loses, delays or swallows packets.

A kernel may lack netem; TUN devices it has nearly always. So the packets are carried by a thread.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import stat
import struct
import threading
import time
from types import TracebackType

import attrs

from tests.network.namespaces import Namespace

_DEVICE = "/dev/net/tun"
_NUMBER = (10, 200)
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET = 65535


def open_tun(namespace: Namespace, name: str) -> int:
    """A network interface, and the descriptor of the cable's end: it carries IP packets. The
    interface goes when that is closed.
    """
    import fcntl  # Windows has none

    if not os.path.exists(_DEVICE):
        os.makedirs(os.path.dirname(_DEVICE), exist_ok=True)
        os.mknod(_DEVICE, stat.S_IFCHR | 0o600, os.makedev(*_NUMBER))
    with namespace.entered():
        fd = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK)
        try:
            wanted = struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI)
            fcntl.ioctl(fd, _TUNSETIFF, wanted.ljust(40, b"\0"))
        except BaseException:
            os.close(fd)
            raise
    return fd


@attrs.define
class Conditions:
    """What happens to each packet, in either direction. May be changed while packets flow.

    delay: seconds, one way.
    udp: whether UDP passes; many a firewall lets TCP through only.
    """

    loss: float = 0.0
    delay: float = 0.0
    silent: bool = False
    udp: bool = True


class Wire:
    """Joins two TUN devices; `with` carries packets meanwhile, and closes both at its end."""

    def __init__(self, one: int, other: int, conditions: Conditions) -> None:
        self.conditions = conditions
        self._across = {one: other, other: one}
        self._random = random.Random(0)
        self._under_way: list[tuple[float, int, int, bytes]] = []  # due, count, where to, packet
        self._count = 0
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._waker)
        self._thread.join()
        for fd in (*self._across, self._wake):
            os.close(fd)

    def _run(self) -> None:
        while True:
            due = self._under_way[0][0] if self._under_way else None
            wait = None if due is None else max(0.0, due - time.monotonic())
            ready, _, _ = select.select([*self._across, self._wake], [], [], wait)
            if self._wake in ready:
                return
            for fd in ready:
                self._take(fd)
            self._deliver()

    def _take(self, fd: int) -> None:
        try:
            packet = os.read(fd, _PACKET)
        except OSError:  # the interface is down
            return
        now, conditions = time.monotonic(), self.conditions
        if (
            conditions.silent
            or self._random.random() < conditions.loss
            or (not conditions.udp and _is_udp(packet))
        ):
            return
        self._count += 1  # packets with the same time stay in order
        entry = (now + conditions.delay, self._count, self._across[fd], packet)
        heapq.heappush(self._under_way, entry)

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, _, fd, packet = heapq.heappop(self._under_way)
            try:
                os.write(fd, packet)
            except OSError:  # the interface is down: the packet is lost
                continue


def _is_udp(packet: bytes) -> bool:
    """Of IPv4."""
    return packet[0] >> 4 == 4 and packet[9] == 17
