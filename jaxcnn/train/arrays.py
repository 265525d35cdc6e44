"""Read NumPy's .npz files. Nothing is unpickled, and memory grows with the bytes that are there."""

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.files import open_regular, read_body

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1


def read_npz(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file.

    Args:
      path: the file.
      wanted: whether to read the array of a name.

    Returns:
      Those that the file has.

    Raises:
      OSError: the file can't be opened or read.
      ValueError: it is damaged, or no file of numbers and strings that NumPy writes.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _member(archive, info) for name, info in members.items() if wanted(name)}
    except (EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    name = info.filename
    if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
        raise ValueError(f"{name} is packed as NumPy never does")
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file, name)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects: save an array of numbers or strings")
        count = math.prod(shape) * dtype.itemsize
        body = read_body(file.read, count)
    if len(body) != count or min(shape, default=0) < 0:
        raise ValueError(f"{name} is damaged: its header promises {count} bytes, shape {shape}")
    if not count:
        return np.empty(shape, dtype)
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The header of an .npy file: shape, whether the first axis varies fastest, and dtype."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old spellings of the header
            major, _ = np.lib.format.read_magic(file)
            if major > 2:
                raise ValueError(f"version {major}")
            parse = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            return parse(file)
    # NumPy parses the header as Python, and passes on the errors of that parser.
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name} doesn't begin as an array does") from error
