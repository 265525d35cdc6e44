"""A slice of the campaign of scripts/fuzz_ops.py, with a fresh seed on each run, which is printed at its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trials
import trying
from kinds import ON_ONE_DEVICE
from operations import Operation

PIECES, TRIALS = 4, 25


@pytest.mark.parametrize("piece", range(PIECES))
def test_a_slice_of_a_fresh_campaign(piece):
    seed = int(os.environ["JAXCNN_FUZZ_SEED"])
    for index in range(piece * TRIALS, (piece + 1) * TRIALS):
        trial = trials.draw(seed, index, ON_ONE_DEVICE)
        try:
            trying.check(trial)
        except Exception as error:
            kinds = " ".join(map(repr, ON_ONE_DEVICE))
            again = f"scripts/fuzz_ops.py --seed {seed} --kinds {kinds} --only {index}"
            raise AssertionError(f"{again}: {trial}: {type(error).__name__}: {error}") from error


def test_a_trial_is_its_seed_and_its_index():
    assert str(trials.draw(3, 5)) == str(trials.draw(3, 5))
    assert len({str(trials.draw(seed, index)) for seed in range(2) for index in range(20)}) == 40


def test_a_wrong_result_is_found(monkeypatch):
    """Of a thousandth, in every operation: a fuzzer that could not find it would prove nothing."""
    right = Operation.ours
    wrong = lambda self, *call: {name: y + abs(y) // 1000 + 1 for name, y in right(self, *call).items()}
    monkeypatch.setattr(Operation, "ours", wrong)
    found = set()
    for index in range(60):
        trial = trials.draw(0, index)
        plain = trial.kind == "plain" and trial.law == "loops" and trial.transform == "value"
        if plain and trial.operation not in found:
            with pytest.raises(AssertionError):
                trying.check(trial)
            found.add(trial.operation)
    assert len(found) >= 5


def test_the_program_tries_and_tells():
    program = Path(__file__).parents[2] / "scripts" / "fuzz_ops.py"
    seed = os.environ["JAXCNN_FUZZ_SEED"]
    command = [sys.executable, str(program), "--trials", "4", "--seed", seed, "--kinds", "Auto mesh", "Explicit mesh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"seed {seed}\n")
    assert "4 trials, 0 faults" in done.stdout
    for named in ("operation", "transform", "dtype", "law", "kind"):
        assert f"{named}  " in done.stdout
