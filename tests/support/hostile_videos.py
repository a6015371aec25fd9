"""MP4 files of a few hundred bytes that claim whatever they like."""

from __future__ import annotations

import attrs

_MATRIX = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))


def u32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return u32(8 + len(body)) + kind.encode("ascii") + body


def full(kind: str, *content: bytes, flags: int = 0) -> bytes:
    """A box with a version, 0, and flags."""
    return box(kind, u32(flags), *content)


@attrs.frozen(kw_only=True)
class Claims:
    """What a video track says of itself.

    Attributes:
        sizes, times, chunks, offsets, shifts, edits: the payloads of stsz, stts, stsc, stco, ctts
            and elst behind their version; None leaves the box out, or is what fits.
        moov: boxes behind the tracks.
        tail: boxes behind the media.
        tracks: how often the track is there.
    """

    sizes: bytes = u32(8, 1)
    times: bytes = u32(1, 1, 1000)
    chunks: bytes = u32(1, 1, 1, 1)
    offsets: bytes | None = None
    shifts: bytes | None = None
    edits: bytes | None = None
    handler: bytes = b"vide"
    codec: str = "mp4v"
    width: int = 64
    height: int = 48
    duration: int = 1000
    media: bytes = bytes(64)
    moov: bytes = b""
    tail: bytes = b""
    tracks: int = 1


def hostile_mp4(claims: Claims) -> bytes:
    """The file: ftyp, media, moov."""
    ftyp = box("ftyp", b"isom", u32(512), b"isommp41")
    media = box("mdat", claims.media)
    offsets = claims.offsets or u32(1, len(ftyp) + 8)
    times = u32(0, 0, 1000, claims.duration, 1 << 16, 1 << 24, 0, 0)
    moov = box(
        "moov",
        full("mvhd", times, _MATRIX, bytes(24), u32(2)),
        *[_track(claims, offsets, number + 1) for number in range(claims.tracks)],
        claims.moov,
    )
    return ftyp + media + moov + claims.tail


def _track(claims: Claims, offsets: bytes, number: int) -> bytes:
    size = u32(claims.width << 16 & 0xFFFFFFFF, claims.height << 16 & 0xFFFFFFFF)
    tkhd = full("tkhd", u32(0, 0, number, 0, claims.duration, 0, 0, 0, 0), _MATRIX, size, flags=3)
    mdhd = full("mdhd", u32(0, 0, 24000, claims.duration), bytes(4))
    hdlr = full("hdlr", bytes(4), claims.handler, bytes(13))
    entry = box(
        claims.codec,
        bytes(6) + b"\0\1" + bytes(16),
        claims.width.to_bytes(2, "big") + claims.height.to_bytes(2, "big"),
        u32(72 << 16, 72 << 16, 0) + b"\0\1" + bytes(32) + b"\0\x18\xff\xff",
    )
    tables = [
        full("stsd", u32(1), entry),
        full("stts", claims.times),
        full("stsc", claims.chunks),
        full("stsz", claims.sizes),
        full("stco", offsets),
    ]
    if claims.shifts is not None:
        tables.append(full("ctts", claims.shifts))
    edits = [] if claims.edits is None else [box("edts", full("elst", claims.edits))]
    minf = box("minf", full("vmhd", bytes(8), flags=1), box("stbl", *tables))
    return box("trak", tkhd, *edits, box("mdia", mdhd, hdlr, minf))


def fragment(samples: int) -> bytes:
    """A fragment that claims so many frames without a word of any of them."""
    head = full("tfhd", u32(1, 1000, 8), flags=0x18)
    return box("moof", full("mfhd", u32(1)), box("traf", head, full("trun", u32(samples))))


#: Of a file whose frames are all in fragments.
FRAGMENTED = Claims(
    sizes=u32(0, 0),
    times=u32(0),
    chunks=u32(0),
    offsets=u32(0),
    moov=box("mvex", full("trex", u32(1, 1, 1000, 8, 0))),
)
