"""End a training run at random moments by three signals in turn, resume it, and compare it with a whole run."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = [sys.executable, str(Path(__file__).with_name("train_lenet.py"))]
SETTINGS = ["--epochs", "6", "--save-steps", "20", "--shift", "1", "--validation", "300"]
TIMES = {"seconds", "images_per_second"}
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
SOON = 120
"""Seconds in which a run must have ended that was asked to."""


def end_of(run_dir: Path):
    """The results that must agree: the parameters, and the metrics without the times."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: record[name] for name in record.keys() - TIMES} for record in lines]
    return (run_dir / "params.npz").read_bytes(), metrics


def expect(process, number: signal.Signals, err: bytes) -> None:
    """A run that was asked to end must have saved its state, and exit with the code of the signal."""
    asked = number is not signal.SIGKILL
    # Before Python has loaded the program, and after its end, the signal kills the process directly.
    if process.returncode not in ((128 + number, -number, 0) if asked else (-number, 0)) or b"Traceback" in err:
        raise SystemExit(f"{number.name} ended the run with exit code {process.returncode}:\n{err.decode()}")


def ended_run(run_dir: Path, ends: int, longest: float, environment, counts) -> int:
    """Run to the end, with at most this many interruptions; returns how many there were."""
    done = 0
    while True:
        begun = (run_dir / "config.json").exists()
        command = [*PROGRAM, *(["--resume", str(run_dir)] if begun else [*SETTINGS, "--run-dir", str(run_dir)])]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                _, err = process.communicate(timeout=random.uniform(0, longest) if done < ends else None)
            except subprocess.TimeoutExpired:
                number = SIGNALS[sum(counts.values()) % len(SIGNALS)]
                process.send_signal(number)
                try:
                    _, err = process.communicate(timeout=SOON)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise SystemExit(f"the run went on for {SOON} s after {number.name}") from None
                expect(process, number, err)
                counts[number.name] += 1
                done += 1
                continue
        if process.returncode:
            raise SystemExit(f"the run ended with exit code {process.returncode}:\n{err.decode()}")
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ends", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        whole, start = Path(folder) / "whole", time.monotonic()
        subprocess.run([*PROGRAM, *SETTINGS, "--run-dir", str(whole)], env=environment, check=True, capture_output=True)
        longest, done, runs = 0.5 * (time.monotonic() - start), 0, 0
        counts = dict.fromkeys((number.name for number in SIGNALS), 0)
        while done < arguments.ends:
            cut = Path(folder) / "cut"
            done += ended_run(cut, arguments.ends - done, longest, environment, counts)
            runs += 1
            if end_of(cut) != end_of(whole):
                raise SystemExit(f"run {runs} ended otherwise than the uninterrupted one (seed {arguments.seed})")
            print(f"run {runs}: equal to the last bit; {done} ends so far", flush=True)
            shutil.rmtree(cut)
    of_each = ", ".join(f"{count} by {name}" for name, count in counts.items())
    print(f"{done} ends ({of_each}) in {runs} runs, all equal to the uninterrupted run")


if __name__ == "__main__":
    main()
