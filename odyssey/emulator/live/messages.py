"""What clients ask of a stream, checked."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import attrs
from PIL import Image

__all__ = ["StartRequest", "StreamError", "picture_of", "prompt_of", "size_of"]

_PORTRAIT = (704, 1280)
_MOST_BYTES = 25 * 1024 * 1024
_MOST_PIXELS = 89_478_485
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")


class StreamError(Exception):
    """A refusal on the data channel: `reason` and `message` of an `interactive_stream_error`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


def _invalid(message: str) -> StreamError:
    return StreamError("invalid_request", message)


def prompt_of(message: dict[str, Any]) -> str:
    """Returns the prompt of an interaction.

    Raises:
        StreamError: There is none.
    """
    prompt = message.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise _invalid("prompt: expected text that is not empty")
    return prompt


def _flag(message: dict[str, Any], name: str, default: bool) -> bool:
    value = message.get(name, default)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _invalid(f"{name}: expected true or false, got {type(value).__name__}")
    return value


@attrs.frozen(kw_only=True)
class StartRequest:
    """An `interactive_stream_start`."""

    prompt: str
    portrait: bool
    image: str | None = attrs.field(repr=False)
    broadcast: bool
    bypass_expansion: bool

    @classmethod
    def read(cls, message: dict[str, Any]) -> StartRequest:
        """Reads the message.

        Raises:
            StreamError: A field is missing or of a wrong type (`invalid_request`).
        """
        prompt, image = message.get("prompt"), message.get("input_image_base64")
        if not isinstance(prompt, str):
            raise _invalid("prompt: expected text")
        if image is not None and not isinstance(image, str):
            raise _invalid("input_image_base64: expected a data URL or null")
        return cls(
            prompt=prompt,
            portrait=_flag(message, "portrait", True),
            image=image,
            broadcast=_flag(message, "broadcast", False),
            bypass_expansion=_flag(message, "bypass_vlm_expansion", False),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stream in pixels."""
        return size_of(portrait=self.portrait)

    def picture(self) -> Image.Image | None:
        """Returns the picture to start from.

        Raises:
            StreamError: It can't be read (`invalid_image`).
        """
        if self.image is None:
            return None
        try:
            return picture_of(self.image)
        except ValueError as exc:
            raise StreamError("invalid_image", f"input_image_base64: {exc}") from exc


def size_of(*, portrait: bool) -> tuple[int, int]:
    """Returns the width and height of a stream in pixels."""
    return _PORTRAIT if portrait else _PORTRAIT[::-1]


def picture_of(url: str) -> Image.Image:
    """Decodes the picture in a data URL, as RGB.

    Raises:
        ValueError: It can't be read.
    """
    data = _data_of(url)
    try:
        # Of what Pillow can read, PostScript for example is run as a program.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError(f"{picture.width}x{picture.height} are too many pixels")
            return picture.convert("RGB")
    except Exception as exc:  # Pillow raises nearly any on damaged data
        raise ValueError(
            f"the picture can't be read: {exc}; expected at most 25 MB and "
            f"{_MOST_PIXELS:,} pixels, in {', '.join(_FORMATS)}"
        ) from exc


def _data_of(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ValueError("expected a data URL of an image in base64")
    if len(body) * 3 // 4 > _MOST_BYTES + 2:
        raise ValueError(f"larger than {_MOST_BYTES // 1024 // 1024} MB")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
