"""Kill a training run at random moments, resume it each time, and compare its end with that of an uninterrupted one."""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = [sys.executable, str(Path(__file__).with_name("train_lenet.py"))]
SETTINGS = ["--epochs", "6", "--save-steps", "20", "--shift", "1", "--validation", "300"]
TIMES = {"seconds", "images_per_second"}


def end_of(run_dir: Path):
    """What must not differ: the parameters, and the metrics but for the times."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: record[name] for name in record.keys() - TIMES} for record in lines]
    return (run_dir / "params.npz").read_bytes(), metrics


def killed_run(run_dir: Path, kills: int, longest: float, environment) -> int:
    """Run to the end, killed on the way at most so often; how often it was."""
    done = 0
    while True:
        begun = (run_dir / "config.json").exists()
        command = [*PROGRAM, *(["--resume", str(run_dir)] if begun else [*SETTINGS, "--run-dir", str(run_dir)])]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                _, err = process.communicate(timeout=random.uniform(0, longest) if done < kills else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                done += 1
                continue
        if process.returncode:
            raise SystemExit(f"the run ended with exit code {process.returncode}:\n{err.decode()}")
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        whole, start = Path(folder) / "whole", time.monotonic()
        subprocess.run([*PROGRAM, *SETTINGS, "--run-dir", str(whole)], env=environment, check=True, capture_output=True)
        longest, done, runs = 0.5 * (time.monotonic() - start), 0, 0
        while done < arguments.kills:
            cut = Path(folder) / "cut"
            done += killed_run(cut, arguments.kills - done, longest, environment)
            runs += 1
            if end_of(cut) != end_of(whole):
                raise SystemExit(f"run {runs} ended otherwise than the uninterrupted one (seed {arguments.seed})")
            print(f"run {runs}: equal to the last bit; {done} kills so far", flush=True)
            shutil.rmtree(cut)
    print(f"{done} kills in {runs} runs, all equal to the uninterrupted run")


if __name__ == "__main__":
    main()
