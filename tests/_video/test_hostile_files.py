"""Files that claim more than they have, or take more time than the caller has."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import attrs
import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from odyssey import OdysseyError, OdysseyTimeoutError
from odyssey._video import bounds, mp4_claims
from odyssey._video import file as video_file
from odyssey._video.file import VideoFile
from odyssey._video.guarded_file import GuardedFile
from odyssey._video.index import FrameIndex
from odyssey._video.mp4_claims import check_claims
from tests.support.hostile_videos import FRAGMENTED, Claims, box, fragment, full, hostile_mp4, u32
from tests.support.videos import Making, make_video

MANY = 10_000_000
SAMPLE_TABLE = Claims(sizes=u32(1, MANY), times=u32(1, MANY, 1), chunks=u32(1, 1, MANY, 1))
COMPRESSED = box("cmov", box("dcom", b"zlib"), box("cmvd", u32(1 << 30), zlib.compress(bytes(99))))

HOSTILE = {
    "sizes": SAMPLE_TABLE,
    "sizes-in-one-chunk": attrs.evolve(SAMPLE_TABLE, chunks=u32(1, 1, 1, 1)),
    "as-many-as-fit-a-number": Claims(sizes=u32(4, 0xFFFFFFFF)),
    "empty-frames": Claims(sizes=u32(0, MANY)),
    "times": Claims(times=u32(1, MANY, 1)),
    "times-of-several": Claims(times=u32(3, 1, 1, MANY, 1, 1, 1)),
    "shifts": Claims(shifts=u32(1, MANY, 0)),
    "tracks-together": Claims(sizes=u32(1, 5000), tracks=20),
    "fragment": attrs.evolve(FRAGMENTED, tail=fragment(MANY)),
    "fragments-together": attrs.evolve(FRAGMENTED, tail=fragment(1000) * 20),
    "later-fragment": attrs.evolve(
        FRAGMENTED, tail=fragment(1) + box("mdat", bytes(99)) + fragment(MANY)
    ),
    "sound-by-frames": attrs.evolve(SAMPLE_TABLE, handler=b"soun", times=u32(1, MANY, 2)),
    "behind-the-tables": Claims(tail=full("stsz", u32(1, MANY))),
    "in-64-bits": Claims(
        moov=u32(1) + b"trak" + bytes(7) + b"\x50" + u32(1) + b"stsz" + bytes(12) + u32(1, MANY)
    ),
}


def opened(data: bytes) -> GuardedFile:
    return GuardedFile(io.BytesIO(data), "cat.mp4", None)


@pytest.mark.parametrize("name", list(HOSTILE))
def test_more_frames_than_bytes(name: str) -> None:
    data = hostile_mp4(HOSTILE[name])
    for kind in ("mp4", None):
        with pytest.raises(OdysseyError, match=r"cat\.mp4 is broken: it claims [\d,]+ frames in"):
            VideoFile(io.BytesIO(data), "cat.mp4", kind)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (Claims(tracks=33), "33 tracks, more than 32"),
        (Claims(tail=box("free", u32(16) + b"moov")), "hidden"),
        (Claims(moov=COMPRESSED), "compressed"),
        (Claims(tail=full("sidx", u32(1, 24000, 0, 8, 0))), "both a table of frames and an index"),
        (Claims(tail=box("moov", COMPRESSED)), "compressed"),
    ],
)
def test_other_claims(claims: Claims, said: str) -> None:
    with pytest.raises(OdysseyError, match=f"cat.mp4 is broken: .*{said}"):
        VideoFile(io.BytesIO(hostile_mp4(claims)), "cat.mp4", "mp4")


def test_a_kind_of_video_that_nobody_knows() -> None:
    with pytest.raises(OdysseyError, match=r"cat\.mp4 can't be decoded: .* unknown kind"):
        VideoFile(io.BytesIO(hostile_mp4(Claims(codec="none"))), "cat.mp4", "mp4")


def test_texts_in_it_that_are_none(tmp_path: Path) -> None:
    data = make_video(tmp_path / "cat.mp4", Making(count=2)).read_bytes()
    assert b"Lavf" in data
    with VideoFile(io.BytesIO(data.replace(b"Lavf", b"\xff\xfe\x80f")), "cat.mp4") as video:
        assert len(list(video.frames(0, None, 1))) == 2


@pytest.mark.parametrize(
    ("bound", "most", "claims", "said"),
    [
        ("MOST_FRAMES", 19, Claims(sizes=u32(1, 20)), "20 frames, more than 19"),
        ("MOST_EDITED", 99, Claims(sizes=u32(1, 20), edits=u32(6) + bytes(72)), "5 cuts of 20"),
        ("MOST_TABLES", 400, Claims(), "tables take more than 0 MB"),
        ("MOST_BOXES", 9, Claims(tail=box("free") * 7), "more than 9 parts"),
    ],
)
def test_bounds_whatever_the_size(
    monkeypatch: pytest.MonkeyPatch, bound: str, most: int, claims: Claims, said: str
) -> None:
    file = opened(hostile_mp4(claims))
    check_claims(file, "cat.mp4")
    monkeypatch.setattr(mp4_claims, bound, most)
    with pytest.raises(OdysseyError, match=said):
        check_claims(file, "cat.mp4")


@pytest.mark.parametrize(
    "claims",
    [
        Claims(),
        Claims(duration=0xFFFFFFFF),
        # Plain sound: each moment of it is a frame.
        attrs.evolve(SAMPLE_TABLE, handler=b"soun"),
        # The words within what is passed over are no tables.
        Claims(media=b"stsz" + bytes(4) + u32(1, MANY) + bytes(99)),
        Claims(tail=box("free", bytes(9), full("stsz", u32(1, MANY)))),
        attrs.evolve(FRAGMENTED, tail=full("sidx", u32(1, 24000, 0, 0, 0)) + fragment(100)),
    ],
)
def test_what_may_be_is_left_to_libav(claims: Claims) -> None:
    check_claims(opened(hostile_mp4(claims)), "cat.mp4")


@pytest.mark.parametrize("first", [box("abcd"), u32(2), u32(12) + b"zzzzzzzz"])
def test_a_beginning_hides_nothing(first: bytes) -> None:
    """libav takes files for MP4s that have something else before."""
    data = first + hostile_mp4(SAMPLE_TABLE)
    for kind in ("mp4", None):
        with pytest.raises(OdysseyError, match=r"cat\.mp4 is broken") as caught:
            VideoFile(io.BytesIO(data), "cat.mp4", kind)
        claims = "it claims" in str(caught.value)
        assert claims == (kind == "mp4" and first != u32(2))


def test_other_files_are_left_to_libav() -> None:
    for data in (b"<html>" + full("stsz", u32(1, MANY)), b"short"):
        with pytest.raises(OdysseyError, match=r"broken, or no video|no frame|no video"):
            VideoFile(io.BytesIO(data), "cat.mp4")


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    """Neither the beginning nor the table at the end: each may be a request of its own."""

    class Counting(io.BytesIO):
        asked = 0

        def read(self, most: int | None = -1, /) -> bytes:
            data = super().read(most)
            self.asked += len(data)
            return data

    data = make_video(tmp_path / "cat.mp4", Making(count=20, noise=60)).read_bytes()
    file = Counting(data)
    with VideoFile(file, "cat.mp4", "mp4") as video:
        assert len(list(video.frames(0, None, 1))) == 20
    assert file.asked <= len(data) + 2 * 32768


# Time.


class Endless:
    """Always gives the same bytes again, and takes its time."""

    def read(self, most: int) -> bytes:
        time.sleep(0.01)
        return bytes(most)

    def seek(self, offset: int, whence: int = 0) -> int:
        return 1 << 20 if whence == io.SEEK_END else offset

    def tell(self) -> int:
        return 0


def test_time_is_counted_from_the_last_new_byte() -> None:
    file = GuardedFile(Endless(), "cat.mp4", 0.2)
    began = time.monotonic()
    for _ in range(60):
        file.read(100)
    assert time.monotonic() - began > 0.5  # each was new
    began = time.monotonic()
    with pytest.raises(OSError, match="reading failed"):
        while time.monotonic() - began < 20:
            file.seek(0)
            file.read(100)
    assert isinstance(file.failure, OdysseyTimeoutError)
    assert "cat.mp4 took more than 0.2 s" in str(file.failure)
    file.begin()
    assert file.read(100) == bytes(100)


def test_a_frame_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All within one piece of the file, so that no byte is new."""
    path = make_video(tmp_path / "cat.mp4", Making(gop=1000))
    plain = GuardedFile.check
    looks = 0

    def check(file: GuardedFile) -> None:
        nonlocal looks
        looks += 1
        if looks == 50:
            time.sleep(0.6)  # the work
        plain(file)

    with path.open("rb") as file, VideoFile(file, "cat.mp4", None, 0.5) as video:
        monkeypatch.setattr(GuardedFile, "check", check)
        with pytest.raises(OdysseyTimeoutError, match=r"cat\.mp4 took more than 0\.5 s"):
            next(video.frames(59, None, 1))


def test_an_index_that_takes_too_long(tmp_path: Path) -> None:
    def check() -> None:
        raise OdysseyTimeoutError("late")

    path = make_video(tmp_path / "cat.mp4", Making(count=2))
    with av.open(str(path)) as container, pytest.raises(OdysseyTimeoutError, match="late"):
        FrameIndex.of(container, container.streams.video[0], check)


# Pictures.


def video_of_sizes(path: Path, codec: str, sizes: list[tuple[int, int]]) -> Path:
    """A Matroska video that begins anew, with a key frame, for each size."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=24)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        for number, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create(codec, "w")
            assert isinstance(encoder, VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base = Fraction(1, 24)
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.pts = packet.dts = number
                packet.time_base = Fraction(1, 24)
                packet.stream = stream
                container.mux(packet)
    return path


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
def test_pictures_are_bounded_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    """With a bound that a small picture is over, as one of that size takes its time to make."""
    path = video_of_sizes(tmp_path / "cat.mkv", codec, [(64, 64), (128, 64), (64, 64)])

    def sizes() -> Iterator[tuple[int, int]]:
        with path.open("rb") as file, VideoFile(file, "cat.mkv") as video:
            for _, frame in video.frames(0, None, 1):
                yield frame.width, frame.height

    assert bounds.MOST_PIXELS == 8192 * 8192
    assert list(sizes()) == [(64, 64), (128, 64), (64, 64)]
    monkeypatch.setattr(video_file, "MOST_PIXELS", 64 * 64)
    with pytest.raises(OdysseyError, match=r"cat\.mkv (is broken|has pictures)"):
        for size in sizes():
            assert size == (64, 64)
    monkeypatch.setattr(video_file, "MOST_PIXELS", 64 * 63)
    with pytest.raises(OdysseyError, match=r"has pictures of \d+x64, and none"):
        next(sizes())
