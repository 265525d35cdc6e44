"""A signal that would end the program sets a flag inside the block, and works as before outside."""

import logging
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from jaxcnn.train.commands.output import guarded
from jaxcnn.train.errors import InputError
from jaxcnn.train.interrupt import ENDING, Ended, ended_by_signals, interruptible

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", ENDING)
def test_the_first_is_a_flag_and_the_second_an_exception(number):
    before = signal.getsignal(number)
    with interruptible() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop() == number
        with pytest.raises(Ended) as caught:
            signal.raise_signal(number)
        assert caught.value.number == number
    assert signal.getsignal(number) is before


def test_the_handler_is_restored_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), interruptible():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored():
    """As SIGHUP is under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals(), interruptible() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_other_than_the_main_one_is_never_told_to_stop():
    answers = []

    def work():
        with interruptible() as stop:
            answers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [0]


def test_a_signal_counts_although_its_exception_was_swallowed():
    def lose_it(_):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with interruptible():
            return 0

    assert guarded("nothing was done")(lose_it)([]) == 143
    with interruptible() as stop:
        assert not stop()


@pytest.mark.parametrize(("number", "code"), list(zip(ENDING, (130, 143, 129), strict=True)))
def test_a_command_ends_with_128_and_the_number(number, code, capsys):
    assert guarded("nothing was done")(lambda _: signal.raise_signal(number))([]) == code
    assert capsys.readouterr().err == "interrupted: nothing was done\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_program_exits_without_the_libraries_exit_handlers(number, code):
    """Some of them crash."""
    code_of_it = (
        "import atexit, os, signal; from jaxcnn.train.commands.output import guarded\n"
        f"atexit.register(os.abort); guarded('nothing was done')(lambda _: signal.raise_signal({int(number)}))()"
    )
    done = subprocess.run([sys.executable, "-c", code_of_it], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "interrupted: nothing was done\n")


def test_the_second_signal_names_the_way_to_resume(capsys):
    def cut_short(_):
        error = Ended(signal.SIGINT)
        error.run_dir = Path("runs/a")
        raise error

    assert guarded("nothing was done")(cut_short)([]) == 130
    assert capsys.readouterr().err == "stopped at once, without a last checkpoint: go on by train --resume runs/a\n"


def test_messages_of_libraries_are_silenced(capsys):
    @guarded("nothing was done")
    def noisy(_):
        logging.getLogger("absl").error("a library's")
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        with warnings.catch_warnings():
            warnings.resetwarnings()
            warnings.simplefilter("ignore")
            warnings.warn("a library's", stacklevel=1)
        raise InputError("ours")

    assert noisy([]) == 2
    assert capsys.readouterr() == ("", "error: ours\n")


@pytest.mark.parametrize(
    ("line", "how", "reason"),
    [("--help", "> /dev/full", "No space left on device"), ("train --help", ">&-", "Bad file descriptor")],
)
def test_output_that_can_t_be_written_is_one_line(line, how, reason):
    command = f"{sys.executable} -m jaxcnn {line} {how}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"error: the output can't be written ({reason})\n")
