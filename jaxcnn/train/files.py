"""How files of the user's are opened and parsed: what is no file is refused before it is waited for."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


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


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
      OSError: it can't be opened or read.
      ValueError: it isn't UTF-8.
    """
    with open_regular(path) as file:
        return file.read().decode()


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
