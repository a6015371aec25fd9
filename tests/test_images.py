"""Pictures in: every kind of input, what becomes of it, and every refusal."""

from __future__ import annotations

import base64
import gc
import io
import os
import subprocess
import sys
import threading
import types
import urllib.parse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from odyssey import _images
from odyssey._images import MAX_BYTES, MAX_PIXELS, encode_image
from tests.support.hostile_pictures import png_header

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 40), (30, 40, 220), (230, 220, 30)
WHITE = (255, 255, 255)
LANDSCAPE, PORTRAIT = (1280, 704), (704, 1280)
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]


def decoded(url: str) -> Image.Image:
    head, _, payload = url.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(payload, validate=True))) as picture:
        picture.load()
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    return picture


def sent(image: Any, *, portrait: bool = False) -> Image.Image:
    return decoded(encode_image(image, portrait=portrait))


def quarters(size: tuple[int, int] = (320, 176)) -> Image.Image:
    """Red, green / blue, yellow."""
    picture = Image.new("RGB", size, RED)
    middle_x, middle_y = size[0] // 2, size[1] // 2
    picture.paste(GREEN, (middle_x, 0, size[0], middle_y))
    picture.paste(BLUE, (0, middle_y, middle_x, size[1]))
    picture.paste(YELLOW, (middle_x, middle_y, *size))
    return picture


def as_bytes(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def close_to(got: Any, wanted: tuple[int, ...], within: int = 12) -> bool:
    return all(abs(a - b) <= within for a, b in zip(got, wanted, strict=True))


def assert_quarters(
    picture: Image.Image, colours: tuple[Any, ...] = (RED, GREEN, BLUE, YELLOW)
) -> None:
    width, height = picture.size
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    for place, colour in zip(places, colours, strict=True):
        assert close_to(picture.getpixel(place), colour), (place, picture.getpixel(place), colour)


def refusal(image: Any, error: type[Exception] = ValueError) -> str:
    with pytest.raises(error) as caught:
        encode_image(image, portrait=True)
    assert type(caught.value) is error
    return str(caught.value)


# --- kinds of input ---


def path_as_str(data: bytes, folder: Path) -> Any:
    (folder / "picture").write_bytes(data)
    return str(folder / "picture")


def path_object(data: bytes, folder: Path) -> Any:
    return Path(path_as_str(data, folder))


def data_url(data: bytes, _: Path) -> Any:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def percent_url(data: bytes, _: Path) -> Any:
    return "data:image/png," + urllib.parse.quote(data)


def opened_by_caller(data: bytes, _: Path) -> Any:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    "make",
    [
        path_as_str,
        path_object,
        data_url,
        percent_url,
        opened_by_caller,
        lambda data, _: data,
        lambda data, _: bytearray(data),
        lambda data, _: memoryview(data),
        lambda data, _: memoryview(data[::-1])[::-1],
        lambda data, _: quarters(),
        lambda data, _: np.asarray(quarters()),
    ],
)
@pytest.mark.parametrize("portrait", [False, True])
def test_each_kind_of_input(
    make: Callable[[bytes, Path], Any], portrait: bool, tmp_path: Path
) -> None:
    picture = sent(make(as_bytes(quarters()), tmp_path), portrait=portrait)
    assert picture.size == (PORTRAIT if portrait else LANDSCAPE)
    assert_quarters(picture)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format(kind: str, tmp_path: Path) -> None:
    # The name says nothing: the contents decide.
    path = tmp_path / "picture.dat"
    path.write_bytes(as_bytes(quarters(), kind))
    assert_quarters(sent(path))


def test_path_object_of_bytes(tmp_path: Path) -> None:
    class Entry(os.PathLike[Any]):
        def __fspath__(self) -> Any:
            return os.fsencode(tmp_path / "ünïcode.png")

    (tmp_path / "ünïcode.png").write_bytes(as_bytes(quarters()))
    assert_quarters(sent(Entry()))


@pytest.mark.parametrize(
    "shape_url",
    [
        lambda text: f"DATA:image/PNG;name=a.png;BASE64,{text}",
        lambda text: f"  data:image/png;base64,{text}\n",
        lambda text: f"data:image/png;base64,{text.rstrip('=')}",
        lambda text: f"data:image/png;base64,{urllib.parse.quote(text, safe='')}",
        lambda text: (
            "data:image/png;base64,"
            + "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))
        ),
        lambda text: f"data:image/svg+xml;base64,{text}",
    ],
)
def test_data_urls_as_they_are_found(shape_url: Callable[[str], str]) -> None:
    assert_quarters(sent(shape_url(base64.b64encode(as_bytes(quarters())).decode())))


@pytest.mark.parametrize("shape", [(44, 80), (44, 80, 1)])
def test_gray_array(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 90, np.uint8)
    array[:, 40:] = 200
    picture = sent(array)
    assert close_to(picture.getpixel((300, 300)), (90, 90, 90))
    assert close_to(picture.getpixel((1000, 300)), (200, 200, 200))


def test_array_is_read_as_rgb_whatever_its_strides() -> None:
    bgr = np.ascontiguousarray(np.asarray(quarters())[:, :, ::-1])
    assert_quarters(sent(bgr[:, :, ::-1]))
    assert_quarters(sent(np.asfortranarray(bgr[:, :, ::-1])))


def test_the_smallest_and_the_most_oblong_fill_the_picture() -> None:
    for array in (np.full((1, 1, 3), RED), np.full((1, 3000, 3), RED), np.full((3000, 1, 3), RED)):
        for portrait in (True, False):
            picture = sent(array.astype(np.uint8), portrait=portrait)
            assert picture.size == (PORTRAIT if portrait else LANDSCAPE)
            assert close_to(picture.getpixel((600, 600)), RED)


# --- modes and transparency ---


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "I", "F", "I;16", "I;16B"])
def test_gray_modes(mode: str) -> None:
    deep = mode.startswith("I;16")
    light = 255 * 257 if deep else 255
    if mode in ("La", "PA"):
        picture = Image.new("LA", (80, 44), (0, 255))
        picture.paste((255, 255), (40, 0, 80, 44))
        picture = picture.convert(mode)
    else:
        picture = Image.new("L" if mode in ("P", "LA") else mode, (80, 44), 0)
        picture.paste(255 if mode in ("P", "LA") else light, (40, 0, 80, 44))
        picture = picture.convert(mode) if mode in ("P", "LA") else picture
    assert picture.mode == mode
    got = sent(picture)
    assert close_to(got.getpixel((300, 300)), (0, 0, 0))
    assert close_to(got.getpixel((1000, 300)), WHITE)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "P"])
def test_colour_modes(mode: str) -> None:
    picture = quarters()
    picture = picture.quantize(8) if mode == "P" else picture.convert(mode)
    assert picture.mode == mode
    assert_quarters(sent(picture))


@pytest.mark.parametrize(
    ("mode", "value", "gray"),
    [
        *[("I", 100, 100), ("I", 100 * 257, 100), ("I", -5, 0), ("I", 1 << 30, 255)],
        *[("F", 100.4, 100), ("F", 900.0, 255), ("F", -1.0, 0), ("F", float("nan"), 0)],
        *[("I;16", 100 * 257, 100), ("I;16", 100, 0)],
    ],
)
def test_deep_gray_is_scaled_not_clipped(mode: str, value: float, gray: int) -> None:
    picture = Image.new(mode, (80, 44), value)
    assert close_to(sent(picture).getpixel((50, 50)), (gray,) * 3, within=2)


def test_16_bit_png_file(tmp_path: Path) -> None:
    Image.fromarray(np.full((44, 80), 100 * 257, np.uint16)).save(tmp_path / "deep.png")
    assert close_to(sent(tmp_path / "deep.png").getpixel((50, 50)), (100, 100, 100), within=2)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_flattened_on_white(kind: str) -> None:
    picture = Image.new("RGBA", (80, 44), (*BLUE, 255))
    picture.paste((0, 0, 0, 0), (40, 0, 80, 44))
    picture.paste((0, 0, 0, 128), (0, 22, 40, 44))
    got = sent(as_bytes(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert_quarters(got, (BLUE, WHITE, (127, 127, 127), WHITE))


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_transparent_colour_is_flattened_on_white(mode: str) -> None:
    picture = Image.new(mode, (80, 44), 0)
    picture.paste({"P": 1, "RGB": BLUE, "L": 80}[mode], (40, 0, 80, 44))  # type: ignore[arg-type]
    if mode == "P":
        picture.putpalette([0, 0, 0, *BLUE])
    key: Any = (0, 0, 0) if mode == "RGB" else 0
    solid = (80, 80, 80) if mode == "L" else BLUE
    for data in (as_bytes(picture, transparency=key), as_bytes(picture, "GIF", transparency=0)):
        assert_quarters(sent(data), (WHITE, solid) * 2)
        if mode != "P":
            break  # GIF makes its own palette of these


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (80, 44), colour) for colour in (GREEN, RED, BLUE)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = as_bytes(frames[0], kind, save_all=True, append_images=frames[1:])
        assert close_to(sent(data).getpixel((50, 50)), GREEN, within=20)


# --- geometry ---


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "PIL"])
def test_exif_orientation(orientation: int, kind: str) -> None:
    tag = Image.Exif()
    tag[0x0112] = orientation
    stored = as_bytes(
        quarters((176, 320)), "JPEG" if kind == "PIL" else kind, exif=tag.tobytes(), quality=95
    )
    with Image.open(io.BytesIO(stored)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
        at = [(x, y) for y in (0.25, 0.75) for x in (0.25, 0.75)]
        wanted = tuple(
            upright.getpixel((int(x * upright.width), int(y * upright.height))) for x, y in at
        )
        assert_quarters(sent(opened if kind == "PIL" else stored), wanted)


def test_orientation_turns_before_the_cut(tmp_path: Path) -> None:
    # Stored lying, 1280x704; shown standing: a portrait stream takes all of it, to the corners.
    tag = Image.Exif()
    tag[0x0112] = 6
    quarters(LANDSCAPE).save(tmp_path / "phone.jpg", exif=tag, quality=95)
    picture = sent(tmp_path / "phone.jpg", portrait=True)
    corners = [picture.getpixel(place) for place in ((3, 3), (700, 3), (3, 1276), (700, 1276))]
    for got, wanted in zip(corners, (BLUE, RED, YELLOW, GREEN), strict=True):
        assert close_to(got, wanted)


def test_damaged_exif_is_no_rotation() -> None:
    data = as_bytes(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of it, when it looks for the resolution
        assert_quarters(sent(data))
    tag = Image.Exif()
    tag[0x0112] = 99
    assert_quarters(sent(as_bytes(quarters(), "JPEG", exif=tag)))


def bands(size: tuple[int, int], middle: int, *, upright: bool) -> Image.Image:
    """Green in the middle `middle` pixels of one side, red before it, blue after it."""
    length = size[0] if upright else size[1]
    first, last = (length - middle) // 2, (length + middle) // 2
    picture = Image.new("RGB", size, RED)
    picture.paste(GREEN, (first, 0, last, size[1]) if upright else (0, first, size[0], last))
    picture.paste(BLUE, (last, 0, *size) if upright else (0, last, *size))
    return picture


@pytest.mark.parametrize(
    ("portrait", "size", "middle", "upright"),
    [
        (False, (400, 704), 220, False),  # 400x220 is 1280x704
        (False, (2000, 220), 400, True),
        (True, (1280, 400), 220, True),  # 220x400 is 704x1280
        (True, (220, 2000), 400, False),
    ],
)
def test_the_cut_is_centred(
    portrait: bool, size: tuple[int, int], middle: int, upright: bool
) -> None:
    picture = sent(bands(size, middle, upright=upright), portrait=portrait)
    width, height = picture.size
    edge = 8  # the resampling reaches some pixels far
    for x in (edge, width // 2, width - 1 - edge):
        for y in (edge, height // 2, height - 1 - edge):
            assert close_to(picture.getpixel((x, y)), GREEN)
    # A little less green than the cut takes: the other colours show at both ends.
    picture = sent(bands(size, middle - 40, upright=upright), portrait=portrait)
    ends = ((8, height // 2), (width - 9, height // 2)) if upright else ((9, 8), (9, height - 9))
    assert close_to(picture.getpixel(ends[0]), RED)
    assert close_to(picture.getpixel(ends[1]), BLUE)


def test_exact_size_comes_through_unchanged() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (88, 160, 3), dtype=np.uint8)
    array = noise.repeat(8, axis=0).repeat(8, axis=1)
    difference = np.asarray(sent(array)).astype(int) - array
    assert np.abs(difference).mean() < 4


# --- what is left behind ---


def test_nothing_of_the_metadata_is_sent() -> None:
    tag = Image.Exif()
    tag[0x010F] = "SecretMaker"
    data = as_bytes(
        quarters(), "JPEG", exif=tag, comment=b"SecretComment", icc_profile=b"SecretICC"
    )
    url = encode_image(data, portrait=True)
    assert b"Secret" not in base64.b64decode(url.partition(",")[2])
    assert not decoded(url).getexif()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "I;16", "F", "CMYK"])
def test_the_callers_picture_is_not_modified(mode: str) -> None:
    picture = (
        Image.new(mode, LANDSCAPE) if mode in ("I;16", "F") else quarters(LANDSCAPE).convert(mode)
    )
    picture.info = {"comment": b"mine", "dpi": (72, 72)}
    picture.getexif()[0x0112] = 6
    before = (picture.mode, picture.size, dict(picture.info), picture.tobytes())
    palette = picture.getpalette()
    encode_image(picture, portrait=False)
    assert (picture.mode, picture.size, dict(picture.info), picture.tobytes()) == before
    assert picture.getpalette() == palette
    assert dict(picture.getexif()) == {0x0112: 6}


def test_the_callers_opened_picture_stays_usable(tmp_path: Path) -> None:
    quarters().save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (320, 176), RED)]
    )
    with Image.open(tmp_path / "a.gif") as picture:
        picture.seek(1)
        assert close_to(sent(picture).getpixel((900, 600)), RED)
        assert picture.tell() == 1
        picture.seek(0)
        assert_quarters(sent(picture))


@pytest.mark.parametrize("size", [LANDSCAPE, (64, 64)])
def test_the_callers_array_is_not_modified(size: tuple[int, int]) -> None:
    array = np.array(quarters(size))
    before = array.copy()
    array.flags.writeable = False
    encode_image(array, portrait=False)
    np.testing.assert_array_equal(array, before)


def test_bytearray_can_be_resized_afterwards() -> None:
    data = bytearray(as_bytes(quarters()))
    encode_image(data, portrait=True)
    data.clear()  # BufferError if a view of it were still held


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts the open files in /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.gif", tmp_path / "bad.png"
    quarters().save(good, save_all=True, append_images=[quarters()])
    bad.write_bytes(as_bytes(quarters())[:100])
    encode_image(good, portrait=True)
    before = len(os.listdir("/proc/self/fd"))
    kept = [encode_image(good, portrait=True), refusal(bad), refusal(tmp_path), refusal("missing")]
    assert len(os.listdir("/proc/self/fd")) == before
    gc.collect()  # what is only now collected warns, and a warning is an error
    assert len(kept) == 4


def test_pillow_and_the_warning_filters_are_left_alone() -> None:
    def state() -> tuple[Any, ...]:
        return (Image.MAX_IMAGE_PIXELS, list(warnings.filters), warnings.showwarning)

    before = state()
    encode_image(as_bytes(quarters()), portrait=True)
    refusal(png_header(30_000, 30_000))
    refusal(png_header(12_000, 9_000))
    assert state() == before


def test_importing_loads_neither_pillow_nor_numpy() -> None:
    code = (
        "import sys, odyssey._images; sys.exit(bool({'PIL', 'numpy'} & set(vars(odyssey._images))))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_several_threads_at_once() -> None:
    data = as_bytes(quarters())
    wanted = encode_image(data, portrait=False)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(encode_image(data, portrait=False)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == [wanted] * 6


# --- refusals: files ---


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "no.png", str(tmp_path / "no.png")):
        message = refusal(path)
        assert "no.png" in message
        assert "does not exist" in message
        assert "expected a picture in JPEG" in message


def test_directory(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)
    assert "directory" in refusal(Path())
    assert "path '' (empty)" in refusal("")


def test_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    assert "cannot be read: Not a directory" in refusal(tmp_path / "a.png" / "b.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe or a device" in refusal(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(as_bytes(quarters()))
    (tmp_path / "a.png").chmod(0)
    assert "cannot be read: Permission denied" in refusal(tmp_path / "a.png")


def test_file_that_fails_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(_images, "open", refuse, raising=False)
    assert "cannot be read: Permission denied" in refusal(tmp_path / "a.png")


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "empty.png' is empty (0 bytes)" in refusal(tmp_path / "empty.png")
    assert "bytes object is empty" in refusal(b"")
    assert "memoryview object is empty" in refusal(memoryview(b""))
    assert "data URL is empty" in refusal("data:image/png;base64,")


def test_more_than_25_mb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    monkeypatch.setattr(_images, "open", None, raising=False)  # the size is looked up, not read
    message = refusal(path)
    for part in ("big.png", "too big", "26,214,401", "26,214,400", "25 MB"):
        assert part in message
    big = bytearray(MAX_BYTES + 1)
    for image in (bytes(big), big, memoryview(big)):
        assert "26,214,401 bytes" in refusal(image)
    assert "too big" in refusal("data:image/png;base64," + "AAAA" * (MAX_BYTES // 3 + 1))
    assert "too big" in refusal("data:image/png," + "a" * (MAX_BYTES + 1))
    assert "too big" in refusal("data:" + "a" * (MAX_BYTES * 4 + 4))


def test_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing.png"
    path.write_bytes(b"x")
    monkeypatch.setattr(_images, "open", lambda *_: io.BytesIO(bytes(MAX_BYTES * 2)), raising=False)
    assert "too big" in refusal(path)


def test_exactly_25_mb_is_taken() -> None:
    data = as_bytes(quarters(), "BMP")
    assert_quarters(sent(data + bytes(MAX_BYTES - len(data))))


# --- refusals: contents ---


@pytest.mark.parametrize("kind", [*FORMATS, "AVIF"])
@pytest.mark.parametrize("part", [0.2, 0.6])
def test_truncated(kind: str, part: float, tmp_path: Path) -> None:
    if kind == "AVIF":
        avif_or_skip()
    noise = np.random.default_rng(1).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    data = as_bytes(Image.fromarray(noise), kind)
    path = tmp_path / "cut.dat"
    path.write_bytes(data[: int(len(data) * part)])
    message = refusal(path)
    assert "cut.dat" in message
    assert kind in message
    assert "cut short" in message


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_data_is_read_or_refused_with_value_error(kind: str) -> None:
    rng = np.random.default_rng(2)
    data = as_bytes(quarters((48, 32)), kind)
    for _ in range(15):
        damaged = bytearray(data)
        for place in rng.integers(4, len(data), 6):
            damaged[place] = int(rng.integers(256))
        try:
            encode_image(damaged, portrait=True)
        except ValueError as exc:
            assert "image:" in str(exc)  # noqa: PT017 - either outcome is right


def test_truncated_picture_that_the_caller_opened() -> None:
    data = as_bytes(quarters(), "PNG")
    with Image.open(io.BytesIO(data[: len(data) // 2])) as picture:
        message = refusal(picture)
    assert "PIL image of mode RGB" in message
    assert "cut short" in message


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA", "PDF"])
def test_other_formats_are_refused_with_the_accepted_ones(kind: str) -> None:
    message = refusal(as_bytes(quarters((64, 64)), kind))
    if kind in ("TIFF", "ICO", "PDF"):
        assert f"is {kind};" in message
    for accepted in ("JPEG", "PNG", "WebP", "GIF", "BMP", "HEIC", "HEIF", "AVIF", "25 MB"):
        assert accepted in message


@pytest.mark.parametrize(
    "data",
    [b"\0", b"hello, this is not a picture", b"<html>", b"BM", b"\xff\xd8\xff", b"GIF89a", b"RIFF"],
)
def test_not_a_picture(data: bytes) -> None:
    assert "expected a picture in JPEG" in refusal(data)


def test_video_is_named() -> None:
    data = b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(100)
    assert "a video (MP4 or QuickTime)" in refusal(data)


@pytest.mark.parametrize("size", [(30_000, 30_000), (12_000, 9_000), (MAX_PIXELS + 1, 1)])
@pytest.mark.parametrize("policy", ["error", "ignore"])
@pytest.mark.parametrize("limit", ["pillow's", None])
def test_decompression_bomb(
    size: tuple[int, int], policy: Any, limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with warnings.catch_warnings():
        warnings.simplefilter(policy)
        message = refusal(png_header(*size))
    assert "PNG" in message
    assert "pixels" in message
    assert "89,478,485" in message


def test_the_applications_own_lower_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "more pixels than Pillow lets through" in refusal(as_bytes(quarters()))


# --- refusals: data URLs and texts that are no path ---

SECRET = base64.b64encode(as_bytes(quarters())).decode()


@pytest.mark.parametrize(
    ("url", "part"),
    [
        (f"data:text/html;base64,{SECRET}", "media type text/html"),
        (f"data:,{SECRET}", "no valid media type"),
        (f"data:;base64,{SECRET}", "no valid media type"),
        (f"data:image/;base64,{SECRET}", "no valid media type"),
        (f"data:{SECRET},x", "media type"),
        (f"data:image/png;base64{SECRET}", "no comma"),
        (f"data:image/png;base64,{SECRET}*", "not base64"),
        (f"data:image/png;base64,é{SECRET}", "not base64"),
        ("data:image/png;base64,A", "not base64"),
        (f"data:image/png,{SECRET}", "of no known format"),
        (f"data:image/png;base64,{SECRET[:200]}", "cut short"),
        (SECRET, "looks like base64"),
        (SECRET[:60], "data:image/png;base64"),
        ("x" * 5000, "text of 5000 characters"),
        ("a\0b.png", "is not a path"),
        ("https://example.com/a.png?X-Amz-Signature=SIGNATURE", "an address (https:)"),
        (" HTTP://example.com/?SIGNATURE", "an address (http:)"),
        (Path("https://example.com/a.png?SIGNATURE"), "an address (https:)"),
        ("file:///pictures/a.png", "give the path"),
        (Path(f"data:image/png;base64,{SECRET}"), "give it as a str"),
    ],
)
def test_texts_that_are_refused(url: Any, part: str) -> None:
    message = refusal(url)
    assert part in message
    assert len(message) < 300
    assert SECRET[:30] not in message
    assert "SIGNATURE" not in message


def test_the_traceback_does_not_show_the_text_either() -> None:
    for text in (SECRET, "https://example.com/?SIGNATURE", "x" * 5000):
        with pytest.raises(ValueError, match="image:") as caught:
            encode_image(text, portrait=True)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


# --- refusals: arrays, pictures, types ---


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.zeros((4, 4, 3), np.float32), ["float32", "(4, 4, 3)", "* 255"]),
        (np.zeros((4, 4, 3), np.uint16), ["uint16"]),
        (np.zeros((4, 4, 3), np.int64), ["int64"]),
        (np.zeros((4, 4), bool), ["bool"]),
        (np.zeros((4, 4), object), ["object"]),
        (np.zeros((4, 4, 4), np.uint8), ["(4, 4, 4)", "array[:, :, :3]", "PIL.Image.fromarray"]),
        (np.zeros((4, 4, 2), np.uint8), ["(4, 4, 2)"]),
        (np.zeros((3, 8, 9), np.uint8), ["(3, 8, 9)", "transpose(1, 2, 0)"]),
        (np.zeros((1, 8, 9, 3), np.uint8), ["(1, 8, 9, 3)", "array[0]"]),
        (np.zeros(12, np.uint8), ["(12,)"]),
        (np.array(7, np.uint8), ["shape ()"]),
    ],
)
def test_arrays_that_are_refused(array: Any, parts: list[str]) -> None:
    message = refusal(array)
    for part in [*parts, "expected uint8 of shape (height, width, 3)"]:
        assert part in message


def test_no_pixels() -> None:
    for shape in ((0, 4, 3), (4, 0, 3), (0, 0)):
        assert "has no pixels" in refusal(np.zeros(shape, np.uint8))
    assert "has no pixels (0x5)" in refusal(Image.new("RGB", (0, 5)))


def test_too_many_pixels_in_arrays_and_pictures() -> None:
    # A broadcast array claims its size without the memory.
    array = np.broadcast_to(np.uint8(0), (30_000, 30_000, 3))
    assert "30000x30000 = 900,000,000 pixels; expected at most 89,478,485" in refusal(array)
    with Image.open(io.BytesIO(as_bytes(quarters()))) as picture:
        picture._size = (30_000, 30_000)
        assert "900,000,000 pixels" in refusal(picture)


def test_mode_that_cannot_be_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ImportError("no LittleCMS")

    picture = Image.new("LAB", (8, 8))
    monkeypatch.setattr(picture, "convert", refuse)
    assert "mode LAB" in refusal(picture)


@pytest.mark.parametrize("image", [None, 7, 1.5, True, [[1]], ("a.png",), object(), {}])
def test_types_that_are_not_accepted(image: Any) -> None:
    message = refusal(image, TypeError)
    assert f"got {type(image).__name__}" in message
    assert "PIL image" in message


def test_type_hints_of_near_misses() -> None:
    class Tensor:
        def __array__(self) -> Any:
            raise AssertionError

    assert "numpy.asarray" in refusal(Tensor(), TypeError)
    assert ".read()" in refusal(io.BytesIO(as_bytes(quarters())), TypeError)


# --- HEIC and AVIF ---

HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(64)
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + bytes(64)


def avif_or_skip() -> None:
    from PIL import features

    if "avif" not in features.modules or not features.check_module("avif"):
        pytest.skip("this Pillow does not read AVIF")


def without_plugin(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)


def test_avif_where_pillow_reads_it() -> None:
    avif_or_skip()
    assert_quarters(sent(as_bytes(quarters(), "AVIF", quality=90)))


@pytest.mark.parametrize(
    "data",
    [HEIC, HEIC.replace(b"ftypheic", b"ftypmif1"), b"\0\0\0\x10ftypmsf1\0\0\0\0" + bytes(64)],
)
def test_heic_without_the_plugin_names_it(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    without_plugin(monkeypatch, "pillow_heif")
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    message = refusal(data)
    for part in ("HEIC/HEIF", "pip install pillow-heif", "JPEG or PNG"):
        assert part in message


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("data", [AVIF, AVIF.replace(b"ftypavif", b"ftypmif1")])
def test_avif_without_the_plugin_names_it(
    data: bytes, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_module(name: str) -> bool:
        if not known:
            raise ValueError(f"Unknown module {name}")
        return False

    monkeypatch.setattr("PIL.features.check_module", check_module)
    without_plugin(monkeypatch, "pillow_avif")
    message = refusal(data)
    assert "is AVIF, which" in message
    assert "pip install pillow-avif-plugin" in message


def test_heic_with_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the plugin: registered on first need, and used for this format only."""
    calls: list[str] = []

    def opener(file: Any, filename: Any) -> Any:
        assert file.read(12).endswith(b"ftypheic")
        return Image.open(io.BytesIO(as_bytes(quarters())))

    def register() -> None:
        calls.append("registered")
        monkeypatch.setitem(Image.OPEN, "HEIF", (opener, None))

    plugin = types.ModuleType("pillow_heif")
    plugin.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    Image.init()
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    for _ in range(2):
        assert_quarters(sent(HEIC))
    assert calls == ["registered"]


def test_avif_with_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check_module", lambda _: False)
    monkeypatch.setitem(sys.modules, "pillow_avif", types.ModuleType("pillow_avif"))
    Image.init()
    opener = lambda file, filename: Image.open(io.BytesIO(as_bytes(quarters())))  # noqa: E731
    monkeypatch.setitem(Image.OPEN, "AVIF", (opener, None))
    assert_quarters(sent(AVIF))
