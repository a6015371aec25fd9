"""Turns the caller's pictures for image to video into the JPEG that the service takes.

Everything is checked here, before anything is sent. Pillow and numpy are imported on first use, so
that `import odyssey` stays light.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import importlib
import io
import os
import re
import stat
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    _Picture = PIL.Image.Image | np.ndarray[Any, Any]
else:
    _Picture = Any

ImageInput: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | _Picture

MAX_BYTES = 25 * 1024 * 1024
# Pillow's default for its warning. A bound of our own holds also where the application has raised
# or removed Pillow's, and makes the outcome the same whatever the warning filters are: they belong
# to the whole process, and changing them for a moment is not safe between threads.
MAX_PIXELS = 89_478_485
_EXPECTED = "a picture in JPEG, PNG, WebP, GIF, BMP, HEIC, HEIF or AVIF, of at most 25 MB"
_ACCEPTED = frozenset({"JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIF", "AVIF"})
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\1\0", "ICO"),
    (b"%PDF", "PDF"),
    (b"<svg", "SVG"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1".split())
PORTRAIT_SIZE = (704, 1280)
LANDSCAPE_SIZE = (1280, 704)
JPEG_QUALITY = 95

_EXPECTED_ARRAY = "uint8 of shape (height, width, 3), RGB, or (height, width), gray"
_REMOTE = re.compile(r"\s*(https?|ftp|s3|gs|file):/", re.IGNORECASE)
_BARE_BASE64 = re.compile(r"\s*(/9j/|iVBOR|UklGR|R0lGOD|Qk|AAAA)[A-Za-z0-9+/_\-\s]{35,}={0,2}")
_LONGEST_PATH_SHOWN = 200
# What makes a picture of EXIF orientation 2, 3, … 8 upright, by Pillow's name.
_TURNS = (
    *("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"),
    *("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"),
)


def encode_image(image: ImageInput, *, portrait: bool) -> str:
    """Encodes a picture as the data URL of a JPEG that fills the stream's picture exactly.

    The EXIF orientation is applied, transparency is laid on white, and the centre is cut out in the
    proportions of the stream and resized (Lanczos). No metadata is kept. The caller's picture or
    array is not modified; no file stays open.

    Args:
        image: One of

            - a `str`: the path of a file, or a `data:` URL (base64 or percent-encoded, image/*);
            - a path object; or `bytes`, `bytearray`, `memoryview`: the content of a picture file;
            - a `PIL.Image.Image` of any mode (the frame it stands at). Modes I;16 and I are read as
              16 bits (I as 8 if no value is above 255), F as 0 to 255, clipped;
            - a numpy array, uint8, of shape (height, width, 3), RGB (OpenCV's is BGR:
              `a[..., ::-1]`), or (height, width) or (height, width, 1), gray.

            Files, bytes and data URLs hold JPEG, PNG, WebP, GIF (its first frame), BMP, or, where
            Pillow or an installed plugin reads them, HEIC, HEIF and AVIF: at most 25 MB (26,214,400
            bytes). A picture or array has at most 89,478,485 pixels.
        portrait: Whether the result is 704x1280 pixels; else it is 1280x704.

    Raises:
        ValueError: It cannot be read, or is out of these bounds. Messages never contain picture
            data.
        TypeError: It is of none of these types.

    Example:
        ```python
        url = encode_image("cat.heic", portrait=True)    # "data:image/jpeg;base64,…"
        ```
    """
    picture = _to_picture(image)
    return _jpeg_url(_fill(picture, PORTRAIT_SIZE if portrait else LANDSCAPE_SIZE))


def _to_picture(image: ImageInput) -> PIL.Image.Image:
    """Decodes any accepted input; the result may be the caller's own picture."""
    import numpy as np
    from PIL import Image

    if isinstance(image, Image.Image):
        return _loaded(image, f"image: the PIL image of mode {image.mode}")
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, str):
        if image[:64].lstrip()[:5].lower() == "data:":
            return decode_picture(_read_data_url(image.strip()), "image: the data URL")
        return decode_picture(_read_file(image), f"image: {_file_label(image)}")
    if isinstance(image, os.PathLike):
        path = os.fsdecode(image)
        return decode_picture(_read_file(path), f"image: {_file_label(path)}")
    if isinstance(image, (bytes, bytearray, memoryview)):
        what = f"the {type(image).__name__} object"
        _check_length(memoryview(image).nbytes, what)
        return decode_picture(bytes(image), f"image: {what}")
    raise TypeError(
        "image: expected a path or data URL (str), a path object, bytes, a PIL image or a numpy "
        f"array, got {type(image).__qualname__}{_type_hint(image)}"
    )


def _type_hint(image: object) -> str:
    if hasattr(image, "__array__"):
        return "; give numpy.asarray(it)"
    return "; give its contents: .read()" if hasattr(image, "read") else ""


# --- where the bytes come from ---


def _read_file(path: str) -> bytes:
    what = _file_label(path)
    if _REMOTE.match(path):
        raise ValueError(f"image: {what} is not fetched; give the path of a file, or its contents")
    if path[:5].lower() == "data:":
        raise ValueError("image: a data URL was given as a path object; give it as a str")
    # `from None`: the system's message has the whole text, which may be picture data.
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ValueError(f"image: {what} does not exist; expected {_EXPECTED}") from None
    except OSError as exc:
        raise ValueError(f"image: {what} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise ValueError(f"image: {what} is not a path; expected {_EXPECTED}") from None
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise ValueError(f"image: {what} is {kind}; expected {_EXPECTED}")
    _check_length(status.st_size, what)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise ValueError(f"image: {what} cannot be read: {exc.strerror}") from None
    _check_length(len(data), what)  # it may have grown or shrunk since
    return data


def _file_label(path: str) -> str:
    """Returns a file's name for messages: its path, unless that may hold a secret or a picture."""
    if remote := _REMOTE.match(path):
        return f"an address ({remote[1].lower()}:)"
    if not path:
        return "the path '' (empty)"
    if _BARE_BASE64.fullmatch(path[:_LONGEST_PATH_SHOWN]):
        return (
            f"the file named by a text of {len(path)} characters that looks like base64 "
            "(a picture in base64 is given as 'data:image/png;base64,…')"
        )
    if len(path) > _LONGEST_PATH_SHOWN:
        return f"the file named by a text of {len(path)} characters"
    return f"the file {path!r}"


def _read_data_url(url: str) -> bytes:
    # Before any copy is made. A byte takes three characters at most.
    _check_length(len(url) // 4, "the data URL")
    head, comma, payload = url.partition(",")
    if not comma:
        raise ValueError("image: the data URL has no comma; expected 'data:image/…;base64,…'")
    media_type, *parameters = (part.strip() for part in head[5:].split(";"))
    if not re.fullmatch(r"image/[\w.+-]+", media_type, re.IGNORECASE):
        known = re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,80}", media_type)
        came = f"the media type {media_type}" if known else "no valid media type"
        raise ValueError(f"image: the data URL has {came}; expected image/*")
    data = urllib.parse.unquote_to_bytes(payload)
    if parameters and parameters[-1].lower() == "base64":
        data = _decode_base64(data)
    _check_length(len(data), "the data URL")
    return data


def _decode_base64(text: bytes) -> bytes:
    """Decodes base64 as browsers do: white space and missing padding do no harm."""
    text = b"".join(text.split()).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as exc:
        raise ValueError("image: what follows the comma of the data URL is not base64") from exc


def _check_length(length: int, what: str) -> None:
    if length == 0:
        raise ValueError(f"image: {what} is empty (0 bytes); expected {_EXPECTED}")
    if length > MAX_BYTES:
        raise ValueError(
            f"image: {what} is too big: {length:,} bytes or more; expected at most {MAX_BYTES:,} "
            "(25 MB)"
        )


# --- from bytes or an array to a picture ---


def decode_picture(data: bytes, what: str) -> PIL.Image.Image:
    """Decodes the content of a picture file; of an animation the first frame.

    Args:
        what: What messages call it.

    Raises:
        ValueError: It is of another format, too large or damaged, or can't be read here.
    """
    from PIL import Image

    kind = _sniff(data)
    if kind not in _ACCEPTED:
        raise ValueError(f"{what} is {kind or 'of no known format'}; expected {_EXPECTED}")
    if kind in ("HEIF", "AVIF"):
        _find_reader(kind, what)
    with translated(f"{what}, {kind},"):
        picture = Image.open(io.BytesIO(data), formats=(kind,))
    with picture:
        return _loaded(picture, f"{what}, {kind},")


def _sniff(data: bytes) -> str | None:
    """The format that the first bytes announce, by Pillow's name; None if there is none known."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 512)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        # AVIF first: such files also carry HEIF's general brands.
        if brands & _AVIF_BRANDS:
            return "AVIF"
        return "HEIF" if brands & _HEIF_BRANDS else "a video (MP4 or QuickTime)"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)


def _find_reader(kind: str, what: str) -> None:
    """Makes Pillow read HEIF or AVIF, with a plugin if need be; else says which to install."""
    from PIL import Image, features

    Image.init()  # first: it would register Pillow's own readers over the plugin's
    try:
        if kind == "AVIF":
            with contextlib.suppress(ValueError):  # raised by a Pillow that never heard of it
                if features.check_module("avif"):
                    return
            importlib.import_module("pillow_avif")
        elif kind not in Image.OPEN:
            importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError as exc:
        plugin = "pillow-avif-plugin" if kind == "AVIF" else "pillow-heif"
        raise ValueError(
            f"{what} is {'HEIC/' if kind == 'HEIF' else ''}{kind}, which the installed "
            f"Pillow does not read; `pip install {plugin}`, or convert it to JPEG or PNG"
        ) from exc


def _loaded(picture: PIL.Image.Image, what: str) -> PIL.Image.Image:
    """Decodes the picture; `ValueError` if it is too large or can't be decoded."""
    _check_pixels(*picture.size, what)
    with translated(what):
        picture.load()
    return picture


def _check_pixels(width: int, height: int, what: str) -> None:
    """Raises `ValueError` for a picture without a pixel, or with more than `MAX_PIXELS`."""
    if width == 0 or height == 0:
        raise ValueError(f"{what} has no pixels ({width}x{height})")
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"{what} has {width}x{height} = {width * height:,} pixels; "
            f"expected at most {MAX_PIXELS:,}"
        )


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns Pillow's errors into ValueError: its plugins raise nearly any on damaged data."""
    from PIL import Image

    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ValueError(
            f"{what} claims more pixels than Pillow lets through (a decompression bomb?); "
            f"expected at most {MAX_PIXELS:,}"
        ) from exc
    except Exception as exc:
        raise ValueError(
            f"{what} cannot be decoded ({type(exc).__name__}): it is damaged, cut short, "
            f"closed, or of a kind that the installed Pillow does not read; expected {_EXPECTED}"
        ) from exc


def _from_array(array: np.ndarray[Any, Any]) -> PIL.Image.Image:
    import numpy as np
    from PIL import Image

    shape = array.shape
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3))):
        raise ValueError(
            f"image: got an array of dtype {array.dtype} and shape {shape}; "
            f"expected {_EXPECTED_ARRAY}{_array_hint(array)}"
        )
    _check_pixels(shape[1], shape[0], f"image: the array of shape {shape}")
    plane = array[:, :, 0] if shape[2:] == (1,) else array
    return Image.fromarray(np.ascontiguousarray(plane))


def _array_hint(array: np.ndarray[Any, Any]) -> str:
    shape = array.shape
    if array.ndim == 4:
        return "; one picture, not a batch: array[0]"
    if array.ndim == 3 and shape[2] == 4:
        return "; drop alpha with array[:, :, :3], or give PIL.Image.fromarray(array)"
    if array.ndim == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        return "; channels come last: array.transpose(1, 2, 0)"
    if array.dtype.kind == "f":
        return "; values of 0 to 1: (array * 255).astype(numpy.uint8)"
    return ""


# --- from a picture to the JPEG ---


def _fill(picture: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    """A new upright RGB picture of `size` (width, height), cut from the middle of this one."""
    from PIL import Image, ImageOps

    try:
        flat = _flat_rgb(picture)
    except Exception as exc:
        raise ValueError(f"image: mode {picture.mode} came; expected one Pillow makes RGB") from exc
    orientation = _orientation(picture)
    # Turned last, when the picture is small; a centred cut is the same before and after.
    target = size if orientation < 5 else size[::-1]
    filled = ImageOps.fit(flat, target, Image.Resampling.LANCZOS)
    if orientation == 1:
        return filled
    return filled.transpose(Image.Transpose[_TURNS[orientation - 2]])


def _orientation(picture: PIL.Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 also where there is none or it is damaged."""
    from PIL import ExifTags

    try:
        value = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a picture is not refused for a block of metadata
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _flat_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in RGB, on white where it is transparent; itself if it is that already."""
    from PIL import Image

    mode = picture.mode
    if mode == "F" or mode.startswith("I"):
        return _gray_8_bit(picture).convert("RGB")
    keyed = mode in ("1", "L", "RGB") and "transparency" in picture.info
    if not keyed and mode not in ("P", "PA", "LA", "La", "RGBA", "RGBa"):
        return picture.convert("RGB") if mode != "RGB" else picture
    # Pillow knows only this way out of mode La.
    rgba = (picture.convert("LA") if mode == "La" else picture).convert("RGBA")
    flat = Image.new("RGB", rgba.size, "white")
    flat.paste(rgba, mask=rgba)
    return flat


def _gray_8_bit(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Converts modes I, I;16 and F to L; Pillow itself would turn all above 255 white."""
    import numpy as np
    from PIL import Image

    values = np.asarray(picture)
    if picture.mode == "F":
        values = np.rint(np.nan_to_num(values))
    elif picture.mode != "I" or values.max() > 255:
        values = np.clip(values, 0, 65535) >> 8
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _jpeg_url(picture: PIL.Image.Image) -> str:
    picture.info = {}  # Pillow would write the original's comment into the JPEG
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
