"""Streams that start from a picture, live."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from odyssey import Odyssey, OdysseyStreamError
from odyssey.emulator import Emulator
from odyssey.frames.frame import Array

#: Red, green, blue, yellow: top left, top right, bottom left, bottom right.
COLOURS = ((200, 40, 40), (40, 170, 60), (40, 60, 200), (210, 190, 50))


def quarters(width: int, height: int) -> Array:
    """A picture of four colours."""
    picture = np.empty((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    picture[:y, :x], picture[:y, x:], picture[y:, :x], picture[y:, x:] = COLOURS
    return picture


def seen(picture: Array) -> list[npt.NDArray[np.float64]]:
    """The colours of the quarters, in their middles: away from what is written on the frame."""
    height, width = picture.shape[:2]
    y, x = height // 16, width // 16
    return [
        picture[top * y : (top + 4) * y, left * x : (left + 4) * x].mean(axis=(0, 1))
        for top in (3, 9)
        for left in (2, 10)
    ]


def assert_colours(picture: Array) -> None:
    for found, wanted in zip(seen(picture), COLOURS, strict=True):
        assert np.abs(found - wanted).max() < 25, (found, wanted)


@pytest.mark.parametrize(("portrait", "size"), [(True, (704, 1280)), (False, (1280, 704))])
def test_the_first_frame_has_the_pictures_colours(
    connected: Odyssey, portrait: bool, size: tuple[int, int]
) -> None:
    assert connected.capabilities.image_to_video
    with connected.stream("A flag", portrait, image=quarters(*size)) as stream:
        frame = stream.frames.get()
        assert (frame.width, frame.height) == size
        assert_colours(frame.data)


def test_every_kind_of_picture(connected: Odyssey, tmp_path: Path) -> None:
    image = Image.fromarray(quarters(352, 640))
    data = io.BytesIO()
    image.save(data, "PNG")
    path = tmp_path / "flag.png"
    path.write_bytes(data.getvalue())
    for given in (path, str(path), data.getvalue(), image, quarters(352, 640)):
        with connected.stream("A flag", image=given) as stream:
            assert_colours(stream.frames.get().data)


def test_a_rotated_photo_stands_upright(connected: Odyssey) -> None:
    turned = Image.fromarray(quarters(352, 640)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    data = io.BytesIO()
    turned.save(data, "JPEG", quality=95, exif=exif)
    with connected.stream("A flag", image=data.getvalue()) as stream:
        assert_colours(stream.frames.get().data)


def test_the_next_stream_starts_without_it(connected: Odyssey) -> None:
    with connected.stream("A flag", image=quarters(704, 1280)) as stream:
        stream.frames.get()
    with connected.stream("A flag") as stream, pytest.raises(AssertionError):
        assert_colours(stream.frames.get().data)


def test_without_the_capability_nothing_is_sent() -> None:
    with (
        Emulator(image_to_video=False) as emulator,
        Odyssey(emulator.api_key, api_url=emulator.url, timeout=10) as client,
    ):
        client.connect()
        assert not client.capabilities.image_to_video
        with pytest.raises(OdysseyStreamError, match="image_to_video") as caught:
            client.start_stream("A flag", image=quarters(704, 1280))
        assert caught.value.reason == "no_image_to_video"
        assert emulator.connections[0].prompts == ()
        with client.stream("A flag") as stream:
            assert stream.frames.get()


def test_a_wrong_picture_sends_nothing(connected: Odyssey, emulator: Emulator) -> None:
    for wrong in (b"no picture", np.zeros((4, 4, 3), np.float32), "nowhere.png"):
        with pytest.raises(ValueError):  # noqa: PT011 - what it says is tested with the images
            connected.start_stream("A flag", image=wrong)
    assert emulator.connections[0].prompts == ()
