"""Converts pixels with libswscale straight into an array.

PyAV's own `reformat` allocates memory for each picture, from which the pixels are then copied. Here
the same function of the same library writes into the array. Where the library isn't found, or the
picture has another format, the caller uses PyAV, with the same result to the bit.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from pathlib import Path

import av

from odyssey.frames.frame import Array

logger = logging.getLogger(__name__)

# Constants of libav, which never change, as they are part of its binary interface.
_FORMATS = {"rgb24": 2, "bgr24": 3}
_YUV420P = 0
_BILINEAR = 2
_ONE = 1 << 16
#: swscale's matrix for each colour space of a picture; unspecified (2) is BT.601.
_MATRICES = {1: 1, 2: 5, 5: 5, 6: 5, 9: 9}
_FULL_RANGE = 2
#: swscale's fast paths may write whole vectors, so the length of a row is a multiple of this.
_ALIGNMENT = 16

_Pointers = ctypes.c_void_p * 4
_Ints = ctypes.c_int * 4


def _load() -> ctypes.CDLL | None:
    """Loads the library from PyAV's wheel; None if PyAV was installed in another way."""
    package = Path(av.__file__).parent
    folders = (package.parent / "av.libs", package / ".dylibs")
    for path in (p for folder in folders for p in folder.glob("*swscale*")):
        try:
            return _declare(ctypes.CDLL(str(path)))
        except (OSError, AttributeError) as exc:
            logger.debug("%s can't be used: %s", path.name, exc)
    logger.debug("PyAV's swscale isn't where wheels have it")
    return None


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.sws_getContext.restype = pointer
    library.sws_getContext.argtypes = (number,) * 7 + (pointer,) * 3
    library.sws_getCoefficients.restype = pointer
    library.sws_getCoefficients.argtypes = (number,)
    library.sws_setColorspaceDetails.argtypes = (pointer, pointer, number, pointer, *(number,) * 4)
    library.sws_scale.argtypes = (*(pointer,) * 3, number, number, pointer, pointer)
    library.sws_freeContext.restype = None
    library.sws_freeContext.argtypes = (pointer,)
    return library


_library = _load()
# One context for each thread, as it holds the state of a conversion.
_thread = threading.local()


class _Context:
    """swscale's settings for pictures of one kind."""

    def __init__(self, kind: tuple[int, ...]) -> None:
        width, height, format_, matrix, full = self.kind = kind
        assert _library is not None
        size = width, height
        self.pointer = _library.sws_getContext(
            *size, _YUV420P, *size, format_, _BILINEAR, None, None, None
        )
        if not self.pointer:
            raise MemoryError("libswscale gave no context")
        table = _library.sws_getCoefficients(matrix)
        _library.sws_setColorspaceDetails(self.pointer, table, full, table, 1, 0, _ONE, _ONE)

    def __del__(self) -> None:
        if _library is not None:
            _library.sws_freeContext(self.pointer)


def convert_into(frame: av.VideoFrame, format: str, out: Array) -> bool:
    """Converts the picture into `out` and releases the interpreter's lock meanwhile.

    Args:
        out: A C-contiguous uint8 array (height, width, 3).

    Returns:
        False if this conversion isn't possible here; `out` may then be partly written.
    """
    matrix = _MATRICES.get(frame.colorspace)
    width, height = frame.width, frame.height
    if (
        _library is None
        or format not in _FORMATS
        or matrix is None
        or frame.format.name != "yuv420p"
        or (width * 3) % _ALIGNMENT
        or width % _ALIGNMENT
        or out.ctypes.data % _ALIGNMENT
    ):
        return False
    kind = (width, height, _FORMATS[format], matrix, int(frame.color_range == _FULL_RANGE))
    context: _Context | None = getattr(_thread, "context", None)
    if context is None or context.kind != kind:
        context = _thread.context = _Context(kind)
    planes = frame.planes
    rows = _library.sws_scale(
        context.pointer,
        _Pointers(*(plane.buffer_ptr for plane in planes)),
        _Ints(*(plane.line_size for plane in planes)),
        0,
        height,
        _Pointers(out.ctypes.data),
        _Ints(out.strides[0]),
    )
    return bool(rows == height)
