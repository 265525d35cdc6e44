"""Ctrl-C and similar signals as a flag: a step donates the buffers of its state, so a run stops between steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, what a cluster sends to stop a job, and what a terminal sends when it is closed."""


_received: list[int] = []
"""The signals since the command began. The exception that a handler raises may be lost where Python or a library
ignores exceptions, in a destructor for instance; this list is not."""


class Ended(KeyboardInterrupt):
    """A signal tells the program to end at once."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.run_dir: Path | None = None
        """Directory of the interrupted run, if there is one."""


def exit_code(number: int) -> int:
    """What a shell expects of a program that a signal ended.

    >>> exit_code(signal.SIGINT), exit_code(signal.SIGTERM)
    (130, 143)
    """
    return 128 + number


def signal_name(number: int) -> str:
    """The name of a signal as users know it.

    >>> signal_name(signal.SIGINT), signal_name(signal.SIGTERM)
    ('Ctrl-C', 'SIGTERM')
    """
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside this block each of these signals raises `Ended`, so that cleanup code runs."""

    def end(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        raise Ended(number)

    _received.clear()
    try:
        with _handled(end):
            yield
    finally:
        _received.clear()


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
    if _received and threading.current_thread() is threading.main_thread():
        raise Ended(_received[0])
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
