from __future__ import annotations

import io
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
import psutil
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from odyssey import VideoFrame
from odyssey.frames.frame import Array, PixelFormat
from tests.support.pictures import CountingPicture, decoded, frame, live_frame

FORMATS: tuple[PixelFormat, ...] = get_args(PixelFormat)
SIZES = [(64, 48), (704, 1280), (1280, 704), (480, 832), (832, 480), (482, 834), (834, 482)]
TAGS = [
    (Colorspace.DEFAULT, ColorRange.UNSPECIFIED),
    (Colorspace.ITU601, ColorRange.MPEG),
    (Colorspace.ITU709, ColorRange.MPEG),
    (Colorspace.ITU601, ColorRange.JPEG),
    (Colorspace.ITU709, ColorRange.JPEG),
]


def test_the_formats_are_the_contracts() -> None:
    assert FORMATS == ("rgb24", "bgr24", "gray8", "yuv420p")


# Pixels: exactly what PyAV itself makes of the same picture.


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_format_and_size_is_pyavs(width: int, height: int, format: PixelFormat) -> None:
    source = decoded(width, height)
    expected = source.to_ndarray(format=format)
    made = live_frame(source).to_ndarray(format)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    assert made.shape == expected.shape
    assert np.array_equal(made, expected)


def test_some_of_these_sizes_have_padding() -> None:
    padded = [s for s in SIZES if decoded(*s).planes[0].line_size != s[0]]
    assert (482, 834) in padded


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("colorspace", "color_range"), TAGS)
@pytest.mark.parametrize("source_format", ["yuv420p", "yuvj420p", "nv12", "yuv444p"])
def test_colour_tags_are_pyavs(
    source_format: str, colorspace: int, color_range: int, format: PixelFormat
) -> None:
    source = decoded(82, 34, format=source_format, colorspace=colorspace, color_range=color_range)
    expected = source.to_ndarray(format=format)
    assert np.array_equal(live_frame(source).to_ndarray(format), expected)
    if format == "rgb24":
        assert np.array_equal(live_frame(source).data, expected)


def test_colour_tags_matter() -> None:
    """Else the tests above would compare the same with the same."""
    pictures = {
        live_frame(decoded(colorspace=space, color_range=extent)).data.tobytes()
        for space, extent in TAGS[1:]
    }
    assert len(pictures) == 4


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47)])
def test_odd_sizes(width: int, height: int) -> None:
    source = decoded(width, height)
    for name in FORMATS[:3]:
        expected = source.to_ndarray(format=name)
        assert np.array_equal(live_frame(source).to_ndarray(name), expected)
    with pytest.raises(ValueError, match=f"even width and height, not {width}x{height}"):
        live_frame(source).to_ndarray("yuv420p")


# `data`.


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_data_is_contiguous_rgb(width: int, height: int) -> None:
    data = live_frame(decoded(width, height)).data
    assert data.shape == (height, width, 3)
    assert data.dtype == np.uint8
    assert data.flags.c_contiguous


def test_data_is_converted_on_first_use_and_kept() -> None:
    picture = CountingPicture(decoded())
    one = frame(width=64, height=48, picture=picture)
    two = frame(width=64, height=48, picture=picture)
    assert picture.conversions == 0
    assert one.data is one.data
    assert two.data is one.data
    assert np.array_equal(one.to_ndarray(), one.data)
    assert picture.conversions == 1


def test_looking_at_a_frame_converts_nothing() -> None:
    picture = CountingPicture(decoded())
    made = frame(width=64, height=48, picture=picture)
    _ = repr(made), made.width, made.timestamp_ms, hash(made), made == made
    assert picture.conversions == 0


def test_data_outlives_its_frame() -> None:
    source = decoded()
    expected = source.to_ndarray(format="rgb24")
    data = live_frame(source).data
    del source
    [live_frame(decoded(seed=n)).data for n in range(1, 20)]  # somebody else's memory
    assert np.array_equal(data, expected)


# `out`.


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("read_before", [False, True])
def test_out_is_written_into_and_returned(format: PixelFormat, read_before: bool) -> None:
    source = decoded(482, 834)
    made = live_frame(source)
    if read_before:
        _ = made.data
    expected = source.to_ndarray(format=format)
    out = np.zeros(expected.shape, np.uint8)
    assert made.to_ndarray(format, out=out) is out
    assert np.array_equal(out, expected)


def test_out_may_be_a_part_of_a_larger_array() -> None:
    batch = np.zeros((3, 48, 64, 3), np.uint8)
    live_frame(decoded()).to_ndarray(out=batch[1])
    assert batch[1].any()
    assert not batch[0].any()
    assert not batch[2].any()


READ_ONLY = np.zeros((48, 64, 3), np.uint8)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("out", "error", "said"),
    [
        (
            np.zeros((48, 64, 4), np.uint8),
            ValueError,
            r"out must be uint8 \(48, 64, 3\), not uint8",
        ),
        (np.zeros((64, 48, 3), np.uint8), ValueError, "out must be uint8"),
        (np.zeros((48, 64), np.uint8), ValueError, "out must be uint8"),
        (np.zeros((1, 48, 64, 3), np.uint8), ValueError, "out must be uint8"),
        (np.zeros((48, 64, 3), np.int8), ValueError, "not int8"),
        (np.zeros((48, 64, 3), np.float32), ValueError, "not float32"),
        (np.zeros((48, 128, 3), np.uint8)[:, ::2], ValueError, "C-contiguous"),
        (np.zeros((3, 64, 48), np.uint8).T, ValueError, "C-contiguous"),
        (READ_ONLY, ValueError, "writeable"),
        ([[[0]]], TypeError, "out must be a numpy array, not list"),
        (bytearray(48 * 64 * 3), TypeError, "out must be a numpy array, not bytearray"),
    ],
)
def test_out_that_does_not_fit(out: object, error: type[Exception], said: str) -> None:
    picture = CountingPicture(decoded())
    made = frame(width=64, height=48, picture=picture)
    with pytest.raises(error, match=said):
        made.to_ndarray(out=out)  # type: ignore[arg-type]
    assert picture.conversions == 0


@pytest.mark.parametrize("format", ["rgb", "RGB24", "", None, 5])
def test_a_format_there_is_not(format: object) -> None:
    for made in (live_frame(decoded()), frame()):
        with pytest.raises(ValueError, match="format must be 'rgb24', 'bgr24', 'gray8' or"):
            made.to_ndarray(format)  # type: ignore[arg-type]


def test_to_ndarray_is_the_callers_own() -> None:
    for made in (live_frame(decoded()), frame(7, 64, 48)):
        before = made.data.copy()
        for name in FORMATS[:2]:
            made.to_ndarray(name)[:] = 99
        assert np.array_equal(made.data, before)


# numpy and Pillow.


def test_asarray_is_data() -> None:
    made = live_frame(decoded())
    assert np.asarray(made) is made.data
    assert np.asarray(made, dtype=np.uint8) is made.data
    assert np.shares_memory(np.asarray(made, copy=None), made.data)
    assert np.shares_memory(np.asarray(made, copy=False), made.data)


def test_array_copies() -> None:
    made = live_frame(decoded())
    for copied in (np.array(made), np.asarray(made, copy=True), np.array(made, copy=True)):
        assert np.array_equal(copied, made.data)
        assert not np.shares_memory(copied, made.data)


def test_another_dtype_needs_a_copy() -> None:
    made = live_frame(decoded())
    floats = np.asarray(made, dtype=np.float32)
    assert floats.dtype == np.float32
    assert np.array_equal(floats, made.data)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(made, dtype=np.float32, copy=False)


def test_arithmetic_on_a_frame() -> None:
    made = live_frame(decoded())
    assert np.mean(made) == made.data.mean()
    assert np.stack([made, made]).shape == (2, 48, 64, 3)


def test_to_image() -> None:
    made = live_frame(decoded(482, 834))
    image = made.to_image()
    assert (image.mode, image.size) == ("RGB", (482, 834))
    assert np.array_equal(np.asarray(image), made.data)
    before = made.data.copy()
    image.paste((1, 2, 3), (0, 0, 482, 834))
    assert np.array_equal(made.data, before)


def test_jupyter_shows_a_png() -> None:
    made = live_frame(decoded(82, 34))
    png = made._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), made.data)


# Threads.


def test_one_frame_read_by_many_threads() -> None:
    for seed in range(10):
        picture = CountingPicture(decoded(482, 834, seed=seed))
        made = frame(width=482, height=834, picture=picture)
        expected: dict[PixelFormat, Array] = {
            f: np.asarray(decoded(482, 834, seed=seed).to_ndarray(format=f), np.uint8)
            for f in FORMATS
        }
        start = threading.Barrier(8)

        def read(
            n: int,
            made: VideoFrame = made,
            start: threading.Barrier = start,
            expected: dict[PixelFormat, Array] = expected,
        ) -> Array:
            start.wait(10)
            name = FORMATS[n % 4]
            assert np.array_equal(made.to_ndarray(name), expected[name])
            return made.data

        with ThreadPoolExecutor(8, "reading") as pool:
            arrays = list(pool.map(read, range(8)))
        assert all(array is arrays[0] for array in arrays)


def test_reading_frames_leaves_no_threads_of_swscale() -> None:
    """A new reformatter for each frame would start a thread a core, and keep it with the frame."""
    frames = [live_frame(decoded(704, 1280, seed=n)) for n in range(12)]

    def read() -> None:
        for made in frames:
            _ = made.data, made.to_ndarray("gray8")

    with ThreadPoolExecutor(1, "reading") as pool:  # which has no reformatter yet
        pool.submit(len, frames).result()
        before = psutil.Process().num_threads()
        pool.submit(read).result()
        assert psutil.Process().num_threads() <= before


# The class.


def test_frames_are_immutable_and_compare_by_identity() -> None:
    one, two = frame(), frame()
    assert one != two
    assert len({one, two}) == 2
    with pytest.raises(AttributeError):
        one.index = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        one.data = two.data  # type: ignore[misc]


def test_repr_is_short_and_without_pixels() -> None:
    made = VideoFrame(np.zeros((2, 4, 3), np.uint8), 4, 2, 40, 1, 0.0, "s1", "x" * 500)
    assert repr(made).startswith(
        "VideoFrame(4x2, index=1, timestamp_ms=40, stream_id='s1', prompt="
    )
    assert len(repr(made)) < 150


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((2, 4), np.uint8),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 3), np.float32),
        np.zeros((1, 2, 4, 3), np.uint8),
    ],
)
def test_a_frame_of_another_array_is_refused(data: Array) -> None:
    with pytest.raises(ValueError, match=r"data must be uint8 \(height, width, 3\)"):
        VideoFrame(data, 4, 2, 0)


def test_a_frame_of_an_array() -> None:
    data = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    made = VideoFrame(data[:, ::-1], 8, 6, 0)
    assert made.data.flags.c_contiguous
    assert np.array_equal(made.data, data[:, ::-1])
    assert np.array_equal(made.to_ndarray("bgr24"), data[:, ::-1, ::-1])
    assert made.to_ndarray("bgr24").flags.c_contiguous
    gray = np.zeros((6, 8), np.uint8)
    assert made.to_ndarray("gray8", out=gray) is gray
    assert np.array_equal(gray, np.asarray(made.to_image().convert("L")))
    with pytest.raises(ValueError, match="can't be turned into yuv420p"):
        made.to_ndarray("yuv420p")


def test_a_live_frame_can_be_pickled() -> None:
    made = live_frame(decoded())
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.data, made.data)
    assert (again.width, again.height, again.timestamp_ms) == (64, 48, 0)
