"""Packets in any order, lost, doubled, spoilt or made up: no exception, no damaged picture."""

from __future__ import annotations

import asyncio
from struct import pack

import attrs
from aiortc.codecs import depayload
from aiortc.rtcsctptransport import decode_params
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from odyssey._rtc.assembler import CAPACITY, FrameAssembler, LossState
from odyssey._rtc.private_packets import acknowledged, has_sound_parameters
from odyssey._rtc.short_path import Packet
from tests._rtc.test_assembler import KEY, Line, head, video
from tests._rtc.test_decoder import STEP, Scene, encoded, play
from tests._rtc.test_short_path import PAYLOADS, Path, rtp
from tests.support.strategies import examples


@attrs.frozen
class Delivery:
    """Frames of so many packets each, and the packets as they arrive."""

    sizes: list[int]
    keys: frozenset[int]
    codec: str
    packets: list[Packet]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Some packets never come, some twice, some up to twelve places late."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=30))
    keys = frozenset(draw(st.sets(st.integers(0, len(sizes) - 1))))
    codec = draw(st.sampled_from(["vp8", "h264"]))
    made = video(
        sizes,
        tuple(keys),
        first=draw(st.sampled_from([0, 100, 32760, 65530])),
        marker=draw(st.booleans()),
        codec=codec,
    )
    late = st.sampled_from([0] * 12 + [1, 2, 12])
    lost = draw(st.sets(st.integers(0, len(made) - 1), max_size=4))
    places = [
        (i + draw(late), packet)
        for i, packet in enumerate(made)
        if i not in lost
        for _ in range(draw(st.sampled_from([1] * 9 + [2])))
    ]
    places.sort(key=lambda place: place[0])
    return Delivery(sizes, keys, codec, [packet for _, packet in places])


@examples(60)
@given(deliveries())
def test_frames_come_whole_in_order_and_go_on_at_key_frames(delivery: Delivery) -> None:
    line = Line()
    line.arrive(delivery.packets)
    assert line.frames == sorted(set(line.frames))
    for number, data in zip(line.frames, line.data, strict=True):
        size, is_key = delivery.sizes[number], number in delivery.keys
        parts = [head(delivery.codec, is_key, i) + b"%d.%d;" % (number, i) for i in range(size)]
        assert data == b"".join(parts), f"frame {number} is not whole"
    for before, number in zip([None, *line.frames], line.frames, strict=False):
        assert number in delivery.keys or before == number - 1


@examples(60)
@given(deliveries())
def test_whatever_was_lost_the_next_key_frame_goes_on(delivery: Delivery) -> None:
    line = Line()
    line.arrive(delivery.packets)
    line.wait(2)
    last = delivery.packets[-1].sequence_number if delivery.packets else 0
    for packet in video([1] * 8, (), first=(last + 40) & 0xFFFF, codec=delivery.codec):
        line.arrive([packet])
        line.wait(2)  # each hole is given up by itself
    # Where a frame begins is only known with the packet before it.
    later = video([1, 2, 2], (1,), first=(last + 80) & 0xFFFF, codec=delivery.codec)
    line.arrive(later[:3])
    line.wait(0.3)  # for a repair
    line.arrive(later[3:])
    assert line.frames[-2:] == [1, 2]
    assert line.assembler.flow is LossState.STEADY


H264_KEY, H264_OTHER = head("h264", True, 0), head("h264", False, 0)
MADE_UP = st.builds(
    Packet,
    data=st.sampled_from([b"", KEY, KEY + b"x", b"\x11", H264_KEY, H264_OTHER, b"\0\0\0\1"])
    | st.binary(max_size=12),
    sequence_number=st.integers(0, 40) | st.integers(0, 0xFFFF) | st.integers(0xFFE0, 0xFFFF),
    timestamp=st.sampled_from([0, 3750, 0xFFFFFFFF]),
    ssrc=st.sampled_from([1, 1, 1, 2]),
    marker=st.integers(0, 1),
)


@given(st.lists(st.tuples(MADE_UP, st.sampled_from([0.001, 0.001, 0.06, 2.0])), max_size=60))
def test_made_up_packets_bring_no_exception_and_take_little_memory(
    arrivals: list[tuple[Packet, float]],
) -> None:
    assembler, now = FrameAssembler(), 100.0
    for packet, pause in arrivals:
        lost = assembler.flow is LossState.LOST
        frames = assembler.add(packet, now)
        assert all(frame.data for frame in frames)
        assert not (lost and frames) or is_key(frames[0].data)
        assert len(assembler._packets) <= CAPACITY
        assert len(assembler.gap) <= CAPACITY
        now += pause
        if assembler.flow is not LossState.STEADY:
            assert len(assembler.check(now).packets) <= CAPACITY


def is_key(data: bytes) -> bool:
    if data.startswith(b"\0\0\0\1"):
        kinds = [unit[0] & 0x1F for unit in data.split(b"\0\0\0\1") if unit]
        return next((kind != 1 for kind in kinds if kind in (1, 5, 7)), False)
    return not data[0] & 1 and data[3:6] == b"\x9d\x01\x2a"


# The short path.

PLAIN = st.sampled_from(list(PAYLOADS)).flatmap(
    lambda kind: st.builds(
        lambda payload, flags, **fields: bytes([flags]) + datagram(kind, payload, **fields)[1:],
        payload=st.binary(max_size=40),
        flags=st.sampled_from([0x80] * 3 + [0x90, 0x90, 0xA0, 0x81, 0x00, 0xFF]),
        sequence_number=st.integers(0, 0xFFFF),
        timestamp=st.integers(0, 0xFFFFFFFF),
        ssrc=st.sampled_from([1, 1, 2]),
        marker=st.sampled_from([0, 0, 0, 1]),
    )
)


def datagram(kind: int, payload: bytes, **fields: int) -> bytes:
    packet = rtp(kind, **fields)
    packet.payload = payload
    return packet.serialize()


@given(PLAIN | st.binary(max_size=60))
def test_any_bytes_are_read_as_aiortc_reads_them_or_left_to_it(data: bytes) -> None:
    path = Path()
    path.handle(data)
    assert len(path.long) + len(path.taken) == 1
    for codec, packet in path.taken:
        theirs = RtpPacket.parse(data)
        assert packet.sequence_number == theirs.sequence_number
        assert (packet.timestamp, packet.ssrc) == (theirs.timestamp, theirs.ssrc)
        assert packet.data == depayload(codec, theirs.payload)


# SCTP.

LENGTHS = st.integers(0, 12) | st.integers(0, 2**16 - 1)
PARAMETERS = st.lists(
    st.builds(
        lambda kind, length, value: pack("!HH", kind, length) + value,
        st.integers(0, 2**16 - 1),
        LENGTHS,
        st.binary(max_size=8),
    )
).map(b"".join)


@given(PARAMETERS | st.binary(max_size=60))
def test_aiortc_reads_parameters_to_the_end_or_does_not_get_them(body: bytes) -> None:
    if has_sound_parameters(body):
        assert len(decode_params(body)) <= len(body) // 4


@given(st.lists(st.tuples(LENGTHS, LENGTHS), max_size=8), LENGTHS)
def test_acknowledgements_are_counted_as_aiortc_does(
    ranges: list[tuple[int, int]], claimed: int
) -> None:
    body = pack("!LLHH", 1, 1, claimed, 0) + b"".join(pack("!HH", *one) for one in ranges)
    counted = sum(len(range(start, end + 1)) for start, end in ranges[:claimed])
    assert acknowledged(body) == counted


# The decoder.


@st.composite
def spoilt_frames(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """Frames with bytes changed, cut off, left out, in another order, or made up."""
    codec = draw(st.sampled_from(["VP8", "H264"]))
    frames = list(encoded(6, "vp8" if codec == "VP8" else "h264"))
    for at in draw(st.lists(st.integers(0, len(frames) - 1), max_size=4)):
        data = frames[at]
        start = draw(st.integers(0, len(data) - 1) | st.integers(0, min(12, len(data) - 1)))
        other = draw(st.binary(max_size=6))
        rest = data[start + len(other) :] if draw(st.booleans()) else b""
        frames[at] = (data[:start] + other + rest) or other or b"?"
    more = draw(st.lists(st.binary(min_size=1, max_size=80), max_size=2))
    return codec, draw(st.permutations([*frames, *more]))


@examples(40)
@given(spoilt_frames())
def test_the_decoder_survives_any_data(spoilt: tuple[str, list[bytes]]) -> None:
    codec, frames = spoilt

    async def scenario(scene: Scene) -> None:
        for number, data in enumerate(frames):
            scene.put(data, number * STEP, codec)
        await scene.end()

    scene = play(scenario)
    assert len(scene.frames) <= len(frames)
    assert all(frame.width > 0 for frame in scene.frames)


@examples(40)
@given(st.binary(min_size=1, max_size=200))
def test_the_decoder_asks_for_a_key_frame_after_nonsense(data: bytes) -> None:
    async def scenario(scene: Scene) -> None:
        scene.put(data, 0)
        await scene.end()
        await asyncio.sleep(0)

    scene = play(scenario)
    assert scene.frames == []
    assert scene.broken
