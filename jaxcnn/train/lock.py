"""One writer at a time. The lock is the system's and ends with the process, so a killed run leaves none behind."""

from pathlib import Path

from jaxcnn.train.errors import InputError, extra

NAME = ".lock"
WAIT = 0.1
"""Seconds."""


class Lock:
    """Locks a folder for writing until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Acquire the lock of a folder that exists.

        Raises:
          InputError: another process has it; no permission; filelock isn't installed.

        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> Lock(folder).release()
        >>> lock = Lock(folder)
        >>> Lock(folder)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        jaxcnn.train.errors.InputError: ... is in use by another process: wait for its end, or stop it
        >>> lock.release()
        """
        with extra():
            from filelock import FileLock, Timeout
        self._path = folder / NAME
        # Several tries: the former owner may remove the file after we open it and before we lock it.
        self._lock = FileLock(self._path, timeout=WAIT)
        try:
            self._lock.acquire(poll_interval=WAIT / 5)
        except (Timeout, RuntimeError) as error:  # RuntimeError: this process has it already
            raise InputError(f"{folder} is in use by another process: wait for its end, or stop it") from error
        except OSError as error:
            raise InputError(
                f"{self._path} can't be locked ({error.strerror}): mend that, or choose another --run-dir"
            ) from error

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._lock.is_locked:
            self._path.unlink(missing_ok=True)
            self._lock.release()
