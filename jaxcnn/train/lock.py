"""One writer at a time: the kernel holds the lock and drops it with the process, so that a kill leaves none behind."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from jaxcnn.train.errors import InputError

NAME = ".lock"


class Lock:
    """The right to write into a folder, held by this process until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take it.

        Args:
          folder: that exists.

        Raises:
          InputError: another process has it; no permission.

        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> Lock(folder).release()
        >>> lock = Lock(folder)
        >>> Lock(folder)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        jaxcnn.train.errors.InputError: ... is in use by another process: wait for its end, or stop it
        >>> lock.release()
        """
        self._path = folder / NAME
        try:
            while True:
                self._file = self._path.open("ab")
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(self._file, self._path):
                    return
                self._file.close()  # who had it before took the file away between the two lines
        except BlockingIOError as error:
            self._file.close()
            raise InputError(f"{folder} is in use by another process: wait for its end, or stop it") from error
        except OSError as error:
            raise InputError(
                f"{self._path} can't be locked ({error.strerror}): mend that, or choose another --run-dir"
            ) from error

    def release(self) -> None:
        """Give it back; twice is once."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
