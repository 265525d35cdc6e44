"""Ctrl-C is a flag inside the block, and what it was outside of it."""

import signal
import threading

import pytest

from jaxcnn.train.interrupt import interruptible


def test_the_first_ctrl_c_is_a_flag_and_the_second_an_exception():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_former_handler_is_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), interruptible():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_that_gets_no_signals_is_never_told_to_stop():
    answers = []

    def work():
        with interruptible() as stop:
            answers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
