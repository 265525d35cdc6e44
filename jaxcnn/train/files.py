"""How files of the user's are opened, parsed and written: what is no file is refused before it is waited for."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from jaxcnn.train.errors import InputError

BLOCK = 1 << 20


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read, but not a pipe or a device, which may never end.

    Args:
      path: the file.

    Yields:
      It, open for bytes.

    Raises:
      OSError: no such file, no permission, or no regular file.

    >>> with open_regular(Path("/dev/zero")) as file:
    ...     file.read()
    Traceback (most recent call last):
    OSError: [Errno 22] Not a regular file: '/dev/zero'
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        yield file


def read_body(read: Callable[[int], bytes], size: int) -> bytearray:
    """What is left of a file; where that is more than `size` bytes, at most a block of the rest.

    A block at a time: what is allocated follows the bytes that are there, not what a damaged header promises.
    """
    body = bytearray()
    while len(body) <= size and (block := read(BLOCK)):
        body += block
    return body


@contextmanager
def beside(path: Path, remedy: str) -> Iterator[Path]:
    """A place beside a file, to write it whole and then move it; empty again afterwards.

    Args:
      path: of the file.
      remedy: what to do where it can't be written.

    Yields:
      The place.

    Raises:
      InputError: no such folder, no permission, no room.
    """
    place = path.parent / f".{path.name}.{os.getpid()}"
    try:
        yield place
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}): {remedy}") from error
    finally:
        with suppress(OSError):  # gone already where all went well
            place.unlink()


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a UTF-8 file.

    Args:
      path: the file.
      errors: what to do with bytes that are none, as `bytes.decode` takes it.

    Raises:
      OSError: it can't be opened or read.
      ValueError: it isn't UTF-8.
    """
    with open_regular(path) as file:
        return file.read().decode(errors=errors)


def parse_json(text: str) -> Any:
    """What a JSON text means.

    Raises:
      ValueError: it is none.

    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
