"""Frames: pictures of a live stream or a recording, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import PIL.Image

    Array = npt.NDArray[np.uint8]
    Image = PIL.Image.Image
else:
    # numpy is imported where pixels are used, so that listing recordings doesn't wait for it.
    Array = Any
    Image = Any

PixelFormat = Literal["rgb24", "bgr24", "gray8", "yuv420p"]


def array_shape(format: str, width: int, height: int) -> tuple[int, ...]:
    """Returns the shape of an array in that pixel format.

    Raises:
        ValueError: The format is unknown, or not possible with this size.
    """
    if format in ("rgb24", "bgr24"):
        return (height, width, 3)
    if format == "gray8":
        return (height, width)
    if format == "yuv420p":
        if width % 2 or height % 2:
            raise ValueError(f"yuv420p needs an even width and height, not {width}x{height}")
        return (height * 3 // 2, width)
    raise ValueError(f"format must be 'rgb24', 'bgr24', 'gray8' or 'yuv420p', not {format!r}")


class Picture(Protocol):
    """The source of a frame's pixels; shared by all subscriptions, safe to use in any thread."""

    @property
    def most_bytes(self) -> int:
        """The most memory it takes, a later conversion included; never changes."""

    def rgb(self) -> Array: ...
    def convert(self, format: str, out: Array | None) -> Array: ...


class ArrayPicture:
    """A picture that is an RGB array."""

    def __init__(self, data: Array) -> None:
        self._data = data

    @property
    def most_bytes(self) -> int:
        return self._data.nbytes

    def rgb(self) -> Array:
        return self._data

    def convert(self, format: str, out: Array | None) -> Array:
        if format == "rgb24":
            result: Array = self._data
        elif format == "bgr24":
            result = self._data[:, :, ::-1]
        elif format == "gray8":
            import numpy as np
            from PIL import Image

            result = np.asarray(Image.fromarray(self._data).convert("L"))
        else:
            raise ValueError(f"a frame made from an RGB array can't be turned into {format}")
        if out is None:
            return result.copy()
        import numpy as np

        np.copyto(out, result)
        return out


def _as_picture(data: Picture | Array) -> Picture:
    import numpy as np

    if not isinstance(data, np.ndarray):
        return data
    if data.dtype != np.uint8 or data.ndim != 3 or data.shape[2] != 3:
        raise ValueError(f"data must be uint8 (height, width, 3), not {data.dtype} {data.shape}")
    return ArrayPicture(np.ascontiguousarray(data))


@attrs.frozen(eq=False, repr=False)
class VideoFrame:
    """One picture of a live stream or a recording.

    Attributes:
        data: The pixels: uint8, (height, width, 3), RGB, C-contiguous. Converted from the decoder's
            YUV on first use, in the thread that uses it, and kept; a frame that nobody reads costs
            no conversion. All subscriptions share the array, so copy it before writing into it.
        width: Width in pixels.
        height: Height in pixels.
        timestamp_ms: Presentation time in milliseconds.
        index: 0, 1, 2 … in the order received on this connection. A gap means dropped frames.
        received_at: When it was decoded, in `time.monotonic()` seconds.
        stream_id: The stream that was running when it was received, or None.
        prompt: The last prompt acknowledged before it was received, or None.

    Frames are immutable and safe to share between threads.

    Example:
        ```python
        frame = client.frames.get()
        np.asarray(frame).mean(), frame.to_ndarray("gray8").shape
        frame.to_image().save("frame.png")
        ```
    """

    _picture: Picture = attrs.field(alias="data", converter=_as_picture)
    width: int
    height: int
    timestamp_ms: int
    index: int = 0
    received_at: float = 0.0
    stream_id: str | None = None
    prompt: str | None = None

    @property
    def data(self) -> Array:
        return self._picture.rgb()

    @property
    def _most_bytes(self) -> int:
        """The most memory that the picture takes, a later conversion included."""
        return self._picture.most_bytes

    def to_ndarray(self, format: PixelFormat = "rgb24", out: Array | None = None) -> Array:
        """Returns the pixels in another format, as a new array or in `out`.

        Args:
            format: `"rgb24"` or `"bgr24"`: (height, width, 3); `"gray8"`: (height, width);
                `"yuv420p"`: (height · 3/2, width), the planes Y, U and V one below the other.
            out: A C-contiguous uint8 array of that shape to write into; it is returned.

        Raises:
            ValueError: The format is unknown, or `out` is not such an array.
            TypeError: `out` is not an array.

        Example:
            ```python
            buffer = np.empty((frame.height, frame.width, 3), np.uint8)
            cv2.imshow("live", frame.to_ndarray("bgr24", out=buffer))
            ```
        """
        shape = array_shape(format, self.width, self.height)
        if out is not None:
            check_out(out, shape)
        return self._picture.convert(format, out)

    def to_image(self) -> Image:
        """Returns the picture as a `PIL.Image.Image` in mode RGB, with a copy of the pixels.

        Example:
            ```python
            frame.to_image().resize((352, 640)).save("small.jpg")
            ```
        """
        from PIL import Image

        return Image.fromarray(self.to_ndarray())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Makes `np.asarray(frame)` return `frame.data`."""
        import numpy as np

        if dtype is not None and np.dtype(dtype) != np.uint8:
            if copy is False:
                raise ValueError("a frame is uint8; another dtype needs a copy")
            return self.data.astype(dtype)
        return self.data.copy() if copy else self.data

    def __repr__(self) -> str:
        prompt = None if self.prompt is None else self.prompt[:40]
        return (
            f"VideoFrame({self.width}x{self.height}, index={self.index}, "
            f"timestamp_ms={self.timestamp_ms}, stream_id={self.stream_id!r}, prompt={prompt!r})"
        )

    def _repr_png_(self) -> bytes:
        """Shows the frame as a picture in Jupyter."""
        import io

        buffer = io.BytesIO()
        self.to_image().save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def check_out(out: object, shape: tuple[int | None, ...]) -> None:
    """Checks that an array of this shape can be written into; None in `shape` is any length.

    Raises:
        TypeError: `out` is not an array.
        ValueError: It has another dtype or shape, or isn't contiguous and writeable.
    """
    import numpy as np

    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy array, not {type(out).__name__}")
    fits = out.ndim == len(shape) and all(
        n is None or n == m for n, m in zip(shape, out.shape, strict=True)
    )
    if out.dtype != np.uint8 or not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"out must be uint8 ({wanted}), not {out.dtype} {out.shape}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be C-contiguous and writeable")
