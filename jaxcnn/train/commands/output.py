"""What a command says, at one place: on stdout what was asked for, on stderr what went wrong; and where neither can."""

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
    """What was asked for can't be written: stdout is closed, full, or read by nobody."""


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
    """Why stdout can't be written. What is left in its buffer goes nowhere, so that Python's end isn't noisy."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(
        error, BrokenPipeError
    ):  # whoever read it has gone, as in `jaxcnn evaluate | head -1`: that's no error
        return OutputError("")
    return OutputError(f"the output can't be written ({getattr(error, 'strerror', None) or error})")


def note(*lines: str) -> None:
    """Say on stderr what a person should hear of the answer."""
    _to_stderr(*(f"note: {InputError(line)}" for line in lines))


def fail(error: InputError | str) -> int:
    """Say in a line what the user can mend, and return the exit code for it."""
    _to_stderr(f"error: {error}")
    return USAGE_ERROR


def _to_stderr(*lines: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # there is nobody left to tell
        sys.stderr.writelines(f"{line}\n" for line in lines)
        sys.stderr.flush()


Work = Callable[[Sequence[str]], int]


def guarded(lost: str) -> Callable[[Work], Callable[[Sequence[str] | None], int]]:
    """Make of what a command does a command: whatever happens to it, it ends with one line and the right exit code.

    Args:
      lost: what there is not, where it was interrupted.

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
    """Leave the program at once: cut short inside a library, it may crash when Python takes it down in order."""
    if _process.is_ours:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


class _Closed(io.TextIOBase):
    """In place of a stream that was closed before the program began."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def streams() -> Iterator[None]:
    """Inside this block a letter that the encoding lacks is written as its number; no file takes a stream's place."""
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
        sys.stderr = former[1] or nowhere  # nobody is there to be told
        try:
            yield
        finally:
            sys.stdout, sys.stderr = former


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside this block the libraries below keep what they have to say to themselves: our own lines say it."""
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
