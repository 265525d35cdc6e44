"""Ctrl-C as a flag: a step gives its state's buffers away, so a run may only be stopped between steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C inside this block into a flag; the second raises KeyboardInterrupt.

    Yields:
      A function that says whether Ctrl-C was pressed. Outside the main thread, where Python hands out no signals,
      it never was.

    >>> with interruptible() as stop:
    ...     before = stop()
    ...     signal.raise_signal(signal.SIGINT)
    ...     before, stop()
    (False, True)
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    former = signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, former)
