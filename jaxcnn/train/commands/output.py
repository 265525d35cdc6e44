"""The output of all commands: results to stdout, notes and errors to stderr, and streams that are closed or full."""

import errno
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TextIO

from jaxcnn.train.errors import InputError, printable
from jaxcnn.train.interrupt import Ended, ended_by_signals, exit_code

USAGE_ERROR, UNWRITABLE, INTERRUPTED = 2, 1, 130


class OutputError(Exception):
    """The result can't be written: stdout is closed or full, or its reader has gone."""


def say(*lines: str) -> None:
    """Write lines to stdout, now.

    Raises:
      OutputError: they can't be written.
    """
    try:
        sys.stdout.writelines(f"{printable(line)}\n" for line in lines)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise output_error(error) from error


def output_error(error: Exception) -> OutputError:
    """Why stdout can't be written. Its buffer is thrown away, or Python would report it once more at exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # the reader has gone, as in `jaxcnn evaluate | head -1`: no error
        return OutputError("")
    return OutputError(f"the output can't be written ({getattr(error, 'strerror', None) or error})")


def note(*lines: str) -> None:
    """Print notes about the result to stderr."""
    _to_stderr(*(f"note: {InputError(line)}" for line in lines))


def fail(error: InputError | str) -> int:
    """Print an error that the user can mend, and return its exit code."""
    _to_stderr(f"error: {error}")
    return USAGE_ERROR


def _to_stderr(*lines: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # stderr is closed
        sys.stderr.writelines(f"{line}\n" for line in lines)
        sys.stderr.flush()


Work = Callable[[Sequence[str]], int]


def guarded(lost: str) -> Callable[[Work], Callable[[Sequence[str] | None], int]]:
    """Make a command of a function: whatever happens in it, it ends with one line and the right exit code.

    Args:
      lost: what was not done, for the message after an interruption.

    Returns:
      A decorator. The command takes the arguments without the names of program and command (None is `sys.argv[1:]`),
      and returns 0; 2 after an error that the user can mend; 1 where its output can't be written; 128 and the number of
      the signal that ended it.
    """

    def decorate(work: Work) -> Callable[[Sequence[str] | None], int]:
        @wraps(work)
        def main(arguments: Sequence[str] | None = None) -> int:
            _process.is_ours |= arguments is None
            with streams(), quiet_libraries(), ended_by_signals():
                try:
                    return work(sys.argv[1:] if arguments is None else arguments)
                except InputError as error:
                    return fail(error)
                except OutputError as error:
                    if str(error):
                        fail(str(error))
                    return UNWRITABLE
                except KeyboardInterrupt as error:
                    run_dir = error.run_dir if isinstance(error, Ended) else None
                    if run_dir is not None:
                        _to_stderr(f"stopped at once, without a last checkpoint: go on by train --resume {run_dir}")
                    else:
                        _to_stderr(f"interrupted: {lost}")
                    return _left(exit_code(error.number) if isinstance(error, Ended) else INTERRUPTED)

        return main

    return decorate


class _Process:
    """Whether this process is the program, or one in which it is called as a function."""

    is_ours = False


_process = _Process()


def _left(code: int) -> int:
    """Exit at once: after an interruption inside a library an orderly exit of Python may crash."""
    if _process.is_ours:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


class _Closed(io.TextIOBase):
    """Replaces a stream that was closed before the program began."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def streams() -> Iterator[None]:
    """Inside this block letters that the encoding lacks are escaped, and a closed stream's number is not reused."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free; else the next file would
    former: tuple[TextIO, TextIO] = sys.stdout, sys.stderr
    for stream in former:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with open(os.devnull, "w") as nowhere:
        sys.stdout = former[0] or _Closed()
        sys.stderr = former[1] or nowhere  # stderr was closed
        try:
            yield
        finally:
            sys.stdout, sys.stderr = former


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside this block libraries print no warnings: our own messages say what the user has to know."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA reads it when it is loaded
    former = logging.root.manager.disable, threading.excepthook, sys.unraisablehook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", append=True)  # after what a developer asked for by -W
        logging.disable(logging.CRITICAL)
        threading.excepthook = lambda args: None
        sys.unraisablehook = lambda unraisable: None
        try:
            yield
        finally:
            logging.disable(former[0])
            threading.excepthook, sys.unraisablehook = former[1:]
