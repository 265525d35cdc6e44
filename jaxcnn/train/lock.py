"""One writer at a time: the system holds the lock and drops it with the process, so that a kill leaves none behind."""

from pathlib import Path

from jaxcnn.train.errors import InputError, extra

NAME = ".lock"
WAIT = 0.1
"""Seconds."""


class Lock:
    """The right to write into a folder, held by this process until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take it.

        Args:
          folder: that exists.

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
        # More than one try: who had it may take the file away between its opening and its locking.
        self._lock = FileLock(self._path, timeout=WAIT)
        try:
            self._lock.acquire(poll_interval=WAIT / 5)
        except (Timeout, RuntimeError) as error:  # a RuntimeError where this very process has it
            raise InputError(f"{folder} is in use by another process: wait for its end, or stop it") from error
        except OSError as error:
            raise InputError(
                f"{self._path} can't be locked ({error.strerror}): mend that, or choose another --run-dir"
            ) from error

    def release(self) -> None:
        """Give it back; twice is once."""
        if self._lock.is_locked:
            self._path.unlink(missing_ok=True)
            self._lock.release()
