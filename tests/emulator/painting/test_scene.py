"""The painted scene: its pictures, and the frame numbers that survive coding."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from odyssey.emulator.painting.figures import FIGURES
from odyssey.emulator.painting.frame_number import MAX_FRAME_NUMBER
from odyssey.emulator.painting.scene import Scene, black_frame, read_frame_number

PORTRAIT = (704, 1280)
LANDSCAPE = (1280, 704)
SIZES = [PORTRAIT, LANDSCAPE, (480, 832), (832, 480)]
SMALL = (352, 640)

PLACES = (
    *("hills", "mountain", "forest", "city", "sea", "desert"),
    *("space", "arctic", "underwater"),
)

Rgb = npt.NDArray[np.uint8]


def rgb(frame: av.VideoFrame) -> Rgb:
    return np.asarray(frame.to_ndarray(format="rgb24"))


def halved(picture: Rgb) -> Rgb:
    return np.asarray(Image.fromarray(picture).reduce(2))


def difference(one: Rgb, other: Rgb) -> float:
    """Mean difference of two pictures below the bar, in levels of 255."""
    below = one.shape[0] // 20
    return float(np.abs(one[below:].astype(np.int16) - other[below:].astype(np.int16)).mean())


def picture(prompt: str, at: float = 0.5, size: tuple[int, int] = SMALL) -> Rgb:
    return rgb(Scene(prompt, *size).paint(round(at * 24), at))


def coded(frames: list[av.VideoFrame], codec: str) -> list[Rgb]:
    """The frames after coding with a live stream's settings at 1 Mbit/s, and decoding."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = frames[0].width, frames[0].height
    context.pix_fmt = "yuv420p"
    context.bit_rate = 1_000_000
    context.framerate = Fraction(24)
    context.time_base = Fraction(1, 24)
    live = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    context.options = live if codec == "libvpx" else {"preset": "veryfast", "tune": "zerolatency"}
    decoder = av.CodecContext.create("vp8" if codec == "libvpx" else "h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    pictures = []
    for index, frame in enumerate([*frames, None]):
        if frame is not None:
            frame.pts, frame.time_base = index, Fraction(1, 24)
        for packet in context.encode(frame):
            pictures += [rgb(decoded) for decoded in decoder.decode(packet)]
    return pictures + [rgb(decoded) for decoded in decoder.decode(None)]


class TestFrameNumber:
    @pytest.mark.parametrize("size", [*SIZES, (640, 362), (214, 386)])
    def test_is_read_from_every_size(self, size: tuple[int, int]) -> None:
        scene = Scene("a quiet lake", *size)
        for number in (0, 1, 0x555555, 0xAAAAAA, MAX_FRAME_NUMBER):
            painted = rgb(scene.paint(number, 0.0))
            assert painted.shape == (size[1], size[0], 3)
            assert read_frame_number(painted) == number

    @pytest.mark.parametrize("codec", ["libvpx", "libx264"])
    @pytest.mark.parametrize(
        "size",
        [
            PORTRAIT,
            pytest.param(LANDSCAPE, marks=pytest.mark.slow),
            pytest.param((480, 832), marks=pytest.mark.slow),
        ],
    )
    def test_survives_coding_at_a_low_rate(self, codec: str, size: tuple[int, int]) -> None:
        scene = Scene("A fox runs through the forest, snow", *size)
        scene.interact("A rocket in space", 0.3)
        numbers = [7_000_000 + 1_237 * index for index in range(22)]
        frames = [scene.paint(number, index / 24) for index, number in enumerate(numbers)]
        decoded = coded(frames, codec)
        assert [read_frame_number(each) for each in decoded] == numbers
        assert [read_frame_number(halved(each)) for each in decoded] == numbers

    def test_survives_jpeg_and_scaling(self) -> None:
        painted = Image.fromarray(picture("a city at night", at=1.0, size=PORTRAIT))
        for width in (1056, 528, 400, 352):
            scaled = painted.resize((width, round(width * 1280 / 704)))
            file = io.BytesIO()
            scaled.save(file, "JPEG", quality=40)
            assert read_frame_number(np.asarray(Image.open(file))) == 24

    def test_a_black_frame_has_none(self) -> None:
        frame = black_frame(*PORTRAIT)
        assert (frame.width, frame.height, frame.format.name) == (704, 1280, "yuv420p")
        assert int(rgb(frame).max()) <= 2
        assert read_frame_number(rgb(frame)) is None

    def test_another_picture_has_none(self) -> None:
        chance = np.random.default_rng(5)
        assert read_frame_number(np.full((1280, 704, 3), 255, np.uint8)) is None
        assert read_frame_number(np.zeros((2, 2, 3), np.uint8)) is None
        for _ in range(20):
            cells = np.repeat(chance.integers(0, 2, 44) * 255, 16).astype(np.uint8)
            bars = np.broadcast_to(cells[None, :, None], (1280, 704, 3))
            assert read_frame_number(np.ascontiguousarray(bars)) is None

    def test_a_damaged_one_is_never_read_wrong(self) -> None:
        painted = picture("a meadow", size=PORTRAIT)
        chance = np.random.default_rng(6)
        for _ in range(300):
            damaged = painted.copy()
            for cell in chance.choice(44, int(chance.integers(1, 9)), replace=False):
                damaged[:16, 16 * cell : 16 * cell + 16] ^= 255
            assert read_frame_number(damaged) is None
        for level in (60, 110, 160):
            damaged = painted.copy()
            damaged[:16, 320:336] = level
            assert read_frame_number(damaged) in {None, 12}

    def test_a_crop_has_none(self) -> None:
        painted = picture("a meadow", size=PORTRAIT)
        assert read_frame_number(painted[40:]) is None
        assert read_frame_number(painted[:, 100:]) is None

    @pytest.mark.parametrize(
        "wrong",
        [
            np.zeros((64, 64, 3), np.float32),
            np.zeros((64, 64), np.uint8),
            np.zeros((64, 64, 4), np.uint8),
            [[1, 2, 3]],
        ],
    )
    def test_refuses_what_is_no_picture(self, wrong: npt.NDArray[np.generic]) -> None:
        with pytest.raises(ValueError, match="expected"):
            read_frame_number(wrong)

    @pytest.mark.parametrize("number", [-1, MAX_FRAME_NUMBER + 1])
    def test_refuses_a_number_that_does_not_fit(self, number: int) -> None:
        with pytest.raises(ValueError, match="frame number"):
            Scene("x", *SMALL).paint(number, 0.0)


class TestScene:
    @pytest.mark.parametrize("size", SIZES)
    def test_paints_frames_of_its_size(self, size: tuple[int, int]) -> None:
        frame = Scene("hills", *size).paint(0, 0.0)
        assert (frame.width, frame.height, frame.format.name) == (*size, "yuv420p")

    @pytest.mark.parametrize("size", [(705, 1280), (704, 1281), (0, 0)])
    def test_refuses_odd_sizes(self, size: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="size"):
            Scene("hills", *size)

    def test_the_same_prompts_and_times_give_the_same_picture(self) -> None:
        one, other = (Scene("A robot in the city, rain", *SMALL) for _ in range(2))
        for scene in (one, other):
            scene.interact("sunset over the sea", 0.4)
            scene.interact("It snows", 1.1)
        for number in range(40):  # one is painted all along, the other only at the end
            last = one.paint(number, number / 24)
        assert np.array_equal(rgb(last), rgb(other.paint(39, 39 / 24)))

    def test_the_same_picture_in_another_process(self) -> None:
        script = (
            "import sys, zlib\n"
            "from odyssey.emulator.painting.scene import Scene\n"
            "frame = Scene('A dog in the forest', 352, 640).paint(3, 0.25)\n"
            "print(zlib.crc32(frame.to_ndarray().tobytes()))"
        )
        sums = {
            subprocess.run(
                [sys.executable, "-c", script],
                check=True,
                capture_output=True,
                env={"PYTHONHASHSEED": seed},
            ).stdout
            for seed in ("1", "2")
        }
        assert len(sums) == 1

    def test_different_prompts_look_different(self) -> None:
        prompts = [
            *("A cat on a windowsill", "A robot in a neon city at night", "sea at sunset"),
            *("a forest in the snow", "an astronaut in space", "hello", "hello!", "a goldfish"),
        ]
        pictures = [picture(prompt) for prompt in prompts]
        for index, one in enumerate(pictures):
            for other in pictures[index + 1 :]:
                assert difference(one, other) > 4

    def test_it_moves(self) -> None:
        for prompt in ("A cat on a windowsill", "hello", "a boat on the sea", "a galaxy"):
            scene = Scene(prompt, *SMALL)
            frames = [rgb(scene.paint(n, n / 24)) for n in range(13)]
            moves = [difference(a, b) for a, b in zip(frames[::3], frames[3::3], strict=False)]
            assert min(moves) > 0.02
            assert difference(frames[0], frames[-1]) > 0.1

    @pytest.mark.parametrize(
        "prompt", ["It begins to snow", "The cat stretches and yawns", "zzz", "猫", ""]
    )
    def test_an_interaction_is_seen_within_half_a_second(self, prompt: str) -> None:
        scene, alone = (Scene("A cat on a windowsill", *SMALL) for _ in range(2))
        scene.interact(prompt, 1.0)
        before, after = (rgb(scene.paint(number, number / 24)) for number in (23, 36))
        assert np.array_equal(before, rgb(alone.paint(23, 23 / 24)))
        assert difference(after, rgb(alone.paint(36, 1.5))) > 3

    def test_an_interaction_fades_in(self) -> None:
        scene = Scene("A day in the mountains", *SMALL)
        scene.interact("A city at night", 0.0)
        frames = [rgb(scene.paint(number, number / 24)) for number in range(12)]
        steps = [difference(a, b) for a, b in pairwise(frames)]
        assert max(steps) < 0.5 * difference(frames[0], frames[-1])

    def test_interactions_in_quick_succession_end_with_the_last(self) -> None:
        scene = Scene("hills", *SMALL)
        for index in range(20):
            scene.interact(f"number {index}", 0.5 + 0.02 * index)
        scene.interact("A red fish underwater", 0.95)
        alone = Scene("hills", *SMALL)
        alone.interact("A red fish underwater", 0.95)
        frames = [rgb(scene.paint(number, number / 24)) for number in range(48)]
        assert difference(frames[-1], frames[10]) > 10
        water = frames[-1][200:400].mean(axis=(0, 1))
        assert water[2] > water[0] + 30

    def test_an_old_interaction_counts_at_once(self) -> None:
        scene = Scene("A day in the hills", *SMALL)
        scene.paint(0, 0.0)
        scene.interact("A city at night", 0.2)
        late = rgb(scene.paint(100, 4.0))
        again = Scene("A day in the hills", *SMALL)
        again.interact("A city at night", 0.2)
        assert np.array_equal(late, rgb(again.paint(100, 4.0)))

    def test_the_prompt_is_written_in_the_picture(self) -> None:
        def lower_part(prompt: str) -> Rgb:
            scene = Scene("", *PORTRAIT, image=Image.new("RGB", PORTRAIT, (90, 120, 150)))
            if prompt:
                scene.interact(prompt, 0.0)
            return rgb(scene.paint(24, 1.0))[1100:1260]

        empty, short, other = (lower_part(text) for text in ("", "A cat", "A dog"))
        assert difference(empty, short) > 3
        assert difference(short, other) > 0.2
        assert (short.min(axis=2) > 240).sum() > 200  # legible: white letters
        assert not (empty.min(axis=2) > 240).any()

    @pytest.mark.parametrize(
        "prompt",
        [
            "",
            "   \n\t ",
            "Кошка на подоконнике",
            "窓辺の猫、雪が降っている" * 20,
            "🐈‍⬛ sits 🌧️",
            "قطة على حافة النافذة",
            "a\x00b\x07c\u202e\ufffe",
            "\ud800 lone surrogate",
            "W" * 5000,
            "word " * 3000,
        ],
    )
    def test_any_text_is_a_prompt(self, prompt: str) -> None:
        scene = Scene(prompt, *SMALL)
        scene.interact(prompt + "x", 0.1)
        assert read_frame_number(rgb(scene.paint(5, 0.2))) == 5
        assert read_frame_number(rgb(scene.paint(20, 1.0))) == 20

    @pytest.mark.parametrize(
        "action",
        [
            "runs",
            *(
                pytest.param(action, marks=pytest.mark.slow)
                for action in ("sleeps", "jumps", "dances", "flies")
            ),
        ],
    )
    def test_every_figure_can_be_painted(self, action: str) -> None:
        for subject in FIGURES:
            scene = Scene(f"a {subject}", 240, 432)
            scene.interact(f"it {action}", 0.0)
            for number in range(0, 96, 19):
                scene.paint(number, number / 24)

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE])
    def test_the_land_has_no_gaps(self, size: tuple[int, int]) -> None:
        for place in (*PLACES, "a dog on the beach"):
            layers = Scene(place, *size)._world._layers
            assert len(layers) == 3
            for far, near in pairwise(layers):
                assert far.strip.solid + far.strip.body.y.shape[0] >= near.strip.solid
            last = layers[-1].strip
            assert last.solid + last.body.y.shape[0] == size[1]


class TestImage:
    def photo(self, size: tuple[int, int] = (900, 700)) -> Image.Image:
        across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
        rings = 127 + 120 * np.sin(across * down / 900)
        return Image.fromarray(np.stack([across, down, rings], axis=2).astype(np.uint8))

    @pytest.mark.parametrize("size", SIZES)
    def test_is_shown_with_its_colours(self, size: tuple[int, int]) -> None:
        image = Image.new("RGB", (640, 480), (200, 80, 40))
        painted = rgb(Scene("", *size, image=image).paint(1, 0.5))
        colour = np.median(painted[60:-60].reshape(-1, 3), axis=0)
        assert np.abs(colour - (200, 80, 40)).max() < 8
        assert read_frame_number(painted) == 1

    def test_moves_and_answers_to_prompts(self) -> None:
        scene = Scene("Bring it to life", *SMALL, image=self.photo())
        frames = [rgb(scene.paint(n, n / 24)) for n in range(24)]
        steps = [difference(a, b) for a, b in pairwise(frames)]
        assert 0.05 < float(np.mean(steps)) < 15
        scene.interact("let it snow", 1.0)
        scene.paint(24, 1.0)
        assert difference(frames[-1], rgb(scene.paint(36, 1.5))) > 3

    @pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
    def test_of_any_mode_and_size(self, mode: str) -> None:
        for size in ((31, 500), (2000, 90), (1, 1)):
            image = self.photo(size).convert(mode)
            assert read_frame_number(rgb(Scene("x", *SMALL, image=image).paint(3, 0.1))) == 3
