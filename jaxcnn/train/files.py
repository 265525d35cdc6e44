"""Opens, parses and writes the user's files. A pipe or a device is refused, since reading it may never end."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from jaxcnn.train.errors import InputError

CHUNK_BYTES = 1 << 20


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read its bytes: no pipe, no device.

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
    """Read `size` bytes and, if there are more, at most one chunk of them.

    Memory grows with the bytes that are there, not with the size that a damaged header promises.
    """
    body = bytearray()
    while len(body) <= size and (chunk := read(CHUNK_BYTES)):
        body += chunk
    return body


@contextmanager
def temporary_path(path: Path, remedy: str) -> Iterator[Path]:
    """A path next to a file, to write the content there and then move it; removed afterwards.

    Raises:
      InputError: no such folder, no permission, no room; the remedy says what to do about it.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        yield temporary
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}): {remedy}") from error
    finally:
        with suppress(OSError):  # it was moved if all went well
            temporary.unlink()


def write_atomically(
    path: Path, content: bytes, *, remedy: str = "make room for it, or choose another --run-dir"
) -> None:
    """Write a file, in a folder that exists, so that a reader finds the old content or the new, nothing in between.

    Raises:
      InputError: no permission, no room; the remedy says what to do about it.

    >>> write_atomically(Path("/nowhere/config.json"), b"")
    Traceback (most recent call last):
    jaxcnn.train.errors.InputError: /nowhere/config.json can't be written (No such file or directory):
    make room for it, or choose another --run-dir
    """
    with temporary_path(path, remedy) as temporary:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a UTF-8 file; `errors` as `bytes.decode` takes it.

    Raises:
      OSError: it can't be opened or read.
      ValueError: it isn't UTF-8.
    """
    with open_regular(path) as file:
        return file.read().decode(errors=errors)


def parse_json(text: str) -> Any:
    """Parse a JSON text.

    Raises:
      ValueError: it is no JSON.

    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
