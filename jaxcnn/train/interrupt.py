"""Ctrl-C and its kin as a flag: a step gives its state's buffers away, so a run may only be stopped between steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, what a cluster sends to stop a job, and what a terminal sends when it is closed."""


_came: list[int] = []
"""The signal that came since the command began. An exception that a handler raises may be lost where Python or a
library ignores exceptions, in a destructor for instance; this isn't."""


class Ended(KeyboardInterrupt):
    """The program is to end at once, by this signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.run_dir: Path | None = None
        """Of the run that was cut short, if there is one."""


def exit_code(number: int) -> int:
    """What a shell expects of a program that a signal ended.

    >>> exit_code(signal.SIGINT), exit_code(signal.SIGTERM)
    (130, 143)
    """
    return 128 + number


def named(number: int) -> str:
    """The signal as a person knows it.

    >>> named(signal.SIGINT), named(signal.SIGTERM)
    ('Ctrl-C', 'SIGTERM')
    """
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside this block each of these signals raises `Ended`, so that what is half done is cleaned up."""

    def end(number: int, frame: FrameType | None) -> None:
        _came.append(number)
        raise Ended(number)

    _came.clear()
    try:
        with _handled(end):
            yield
    finally:
        _came.clear()


@contextmanager
def interruptible() -> Iterator[Callable[[], int]]:
    """Turn the first of these signals inside this block into a flag; the second raises `Ended`.

    Yields:
      A function that returns the number of the signal that came, or 0. Outside the main thread, where Python hands out
      no signals, none ever comes.

    Raises:
      Ended: a signal came before, and the exception that it raised was lost.

    >>> with interruptible() as stop:
    ...     before = stop()
    ...     signal.raise_signal(signal.SIGINT)
    ...     before, stop() == signal.SIGINT
    (0, True)
    """
    if _came and threading.current_thread() is threading.main_thread():
        raise Ended(_came[0])
    came: list[int] = []

    def flag(number: int, frame: FrameType | None) -> None:
        if came:
            raise Ended(number)
        came.append(number)

    with _handled(flag):
        yield lambda: came[0] if came else 0


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals that end a program; one that is ignored, as SIGHUP under nohup, stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {}
    try:
        for number in ENDING:
            # None is a handler that Python didn't set, and couldn't set again.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                former[number] = signal.signal(number, handler)
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
