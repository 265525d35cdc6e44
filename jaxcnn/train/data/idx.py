"""The IDX format of MNIST and its kin: a magic number, the sides, then one unsigned byte per value."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from jaxcnn.train.errors import InputError
from jaxcnn.train.files import open_regular, read_body

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


def find(folder: Path, name: str) -> Path:
    """The file of this name in a folder, gzipped or not; where both are there, the plain one.

    Raises:
      InputError: neither is there.

    >>> find(Path("/nowhere"), "t10k-labels-idx1-ubyte")
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere holds neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz:
    give the folder that does with --data-dir
    """
    for path in (folder / name, folder / f"{name}.gz"):
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise InputError(f"{path} can't be looked at ({error.strerror}): check --data-dir") from error
    raise InputError(f"{folder} holds neither {name} nor {name}.gz: give the folder that does with --data-dir")


def read(path: Path, rank: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes.

    Args:
      path: the file, gzipped or not; its first bytes tell which.
      rank: how many axes it must have, 3 for images and 1 for labels.

    Returns:
      An array of the shape that the header gives.

    Raises:
      InputError: an unreadable file, another magic number, fewer or more bytes than the header says.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> read(path, rank=1)
    array([7, 2, 1], dtype=uint8)

    Source: http://yann.lecun.com/exdb/mnist, "The IDX file format".
    """
    try:
        with open_regular(path) as raw:
            zipped = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            with gzip.open(raw) if zipped else raw as file:
                return _parse(file, path, rank)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} can't be read ({error}): mend that, or fetch it again") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, rank: int) -> NDArray[np.uint8]:
    shape = _header(file, path, rank)
    count = math.prod(shape)
    body = read_body(file.read, count)
    if len(body) != count:
        fault = "is cut short" if len(body) < count else "goes on after its last value"
        raise InputError(f"{path} {fault}: its header promises {count} bytes, shape {shape}: fetch it again")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _header(file: BinaryIO | gzip.GzipFile, path: Path, rank: int) -> tuple[int, ...]:
    expected = bytes([0, 0, UNSIGNED_BYTE, rank])
    magic = file.read(len(expected))
    if magic != expected:
        kind = {1: "labels", 3: "images"}.get(rank, f"rank {rank}")
        raise InputError(
            f"{path} is no IDX file of {kind}: it begins with {magic.hex() or 'nothing'}, not {expected.hex()}; "
            "are the files mixed up?"
        )
    sides = file.read(4 * rank)
    if len(sides) != 4 * rank:
        raise InputError(f"{path} is cut short inside its header: fetch it again")
    return struct.unpack(f">{rank}I", sides)
