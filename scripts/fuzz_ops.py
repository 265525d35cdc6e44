"""Try random option sets on every operation, under every transformation, and report each difference.

    scripts/fuzz_ops.py --trials 10000 --seed 7 --processes 2
    scripts/fuzz_ops.py --seed 7 --only 4321
    scripts/fuzz_ops.py --kinds "Auto mesh" exported

A trial is its seed, its index and the kinds that are drawn from (all, unless named), and nothing else
(tests/fuzz/trials.py, kinds.py). Trials run in processes of their own, so that one that aborts in XLA, or hangs, is
reported and the campaign goes on. Exit code 1 if there is a fault.
"""

import argparse
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS.parent), *(str(TESTS / folder) for folder in ("", "core", "fuzz"))]

BLOCK = 200  # trials per process; what JAX caches is freed with it
PATIENCE = 240  # a trial hangs if it prints nothing for this many seconds
TABLES = ("operation", "transform", "dtype", "law", "platform", "kind")  # what trials are counted by


def main() -> int:
    args = arguments()
    if args.block:
        return work(args.seed, args.kinds, *args.block)
    if args.only is not None:
        return only(args.seed, args.kinds, args.only)
    print(f"seed {args.seed}", flush=True)
    campaign = Campaign(args)
    try:
        campaign.run()
    except KeyboardInterrupt:
        print("interrupted: what was done so far", flush=True)
    finally:
        campaign.stop()
    campaign.report()
    return 1 if campaign.faults else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31), help="fresh by default")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no more blocks after so long")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="draw these alone; all by default")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this trial by itself, with its traceback")
    parser.add_argument("--block", type=int, nargs=2, metavar=("START", "STOP"), help=argparse.SUPPRESS)
    return parser.parse_args()


# In a process of its own ---------------------------------------------------------------------------------------------


def prepare() -> None:
    """Eight devices, which trials on a mesh need."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"


def only(seed: int, kinds: list[str] | None, index: int) -> int:
    prepare()
    import conftest  # noqa: F401  (strictness, as in the tests)
    import trials
    import trying

    trial = trials.draw(seed, index, kinds)
    print(trial, flush=True)
    trying.check(trial)
    print("no fault")
    return 0


def work(seed: int, kinds: list[str] | None, start: int, stop: int) -> int:
    """Run the trials from start to stop; each prints two lines of JSON: what is tried, and the result."""
    prepare()
    import conftest  # noqa: F401
    import jax
    import pytest
    import trials
    import trying

    heard = tempfile.TemporaryFile("w+")  # noqa: SIM115  (what XLA says goes past Python, to the file descriptor)
    os.dup2(heard.fileno(), 2)
    say = lambda **line: print(json.dumps(line), flush=True)
    for index in range(start, stop):
        fault, trial = "", None
        try:
            trial = trials.draw(seed, index, kinds)
            say(index=index, told=str(trial), keys=[
                trial.operation, trial.transformed, trial.dtype, trial.law, trial.platform, trial.kind
            ])  # fmt: skip
            trying.check(trial)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  (any exception is a finding)
            at = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {error}"
        heard.seek(0)
        # XLA's remark that a kernel divided along its taps is gathered, which nothing else could do.
        noise = "".join(line for line in heard if "Involuntary full rematerialization" not in line)
        heard.seek(0)
        heard.truncate()
        if noise and not fault and jax.default_backend() == "cpu":  # XLA on a GPU prints unrelated messages there
            fault = f"on stderr: {noise}"
        say(done=index, fault=" ".join(fault.split())[:500])
        if index % 40 == 0:
            jax.clear_caches()
    return 0


# The campaign --------------------------------------------------------------------------------------------------------


class Campaign:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.start = time.monotonic()
        self.blocks: queue.SimpleQueue[range] = queue.SimpleQueue()
        for first in range(0, args.trials, BLOCK):
            self.blocks.put(range(first, min(first + BLOCK, args.trials)))
        self.lock = threading.Lock()
        self.children: set[subprocess.Popen[str]] = set()
        self.kinds = ["--kinds", *args.kinds] if args.kinds else []
        self.again = f"--seed {args.seed}" + "".join(f" '{word}'" if " " in word else f" {word}" for word in self.kinds)
        self.stopping = False
        self.done = 0
        self.tables = [Counter[str]() for _ in TABLES]
        self.faults: list[tuple[int, str, str]] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._worker, daemon=True) for _ in range(self.args.processes)]
        for thread in threads:
            thread.start()
        said = 0
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            if self.done - said >= 100:
                said = self.done
                print(f"{said} trials, {len(self.faults)} faults, {self._minutes():.1f} minutes", flush=True)

    def stop(self) -> None:
        self.stopping = True
        for child in list(self.children):
            child.kill()

    def report(self) -> None:
        print(f"\nseed {self.args.seed}: {self.done} trials, {len(self.faults)} faults, {self._minutes():.1f} minutes")
        for name, table in zip(TABLES, self.tables, strict=True):
            print(f"{name:>10}  " + "  ".join(f"{key} {count}" for key, count in sorted(table.items())))
        for index, told, fault in sorted(self.faults):
            print(f"\n{self.again} --only {index}: {told}\n    {fault}")

    def _minutes(self) -> float:
        return (time.monotonic() - self.start) / 60

    def _worker(self) -> None:
        while not self.stopping and time.monotonic() - self.start < self.args.seconds:
            try:
                block = self.blocks.get_nowait()
            except queue.Empty:
                return
            while block and not self.stopping:
                block = self._run_block(block)

    def _run_block(self, block: range) -> range:
        """Run a block in a process, and return the trials that are left: none, unless it crashed."""
        numbers = ["--seed", str(self.args.seed), "--block", str(block.start), str(block.stop), *self.kinds]
        child = subprocess.Popen(
            [sys.executable, __file__, *numbers], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        watch = Watch(child)
        with self.lock:
            self.children.add(child)
        told, index = "", block.start
        assert child.stdout
        for line in child.stdout:
            watch.heard()
            said = json.loads(line)
            if "told" in said:
                told, index = said["told"], said["index"]
                with self.lock:
                    for table, key in zip(self.tables, said["keys"], strict=True):
                        table[key] += 1
                continue
            with self.lock:
                self.done += 1
                if said["fault"]:
                    self._fault(said["done"], told, said["fault"])
            told, index = "", said["done"] + 1
        code = child.wait()
        watch.cancel()
        with self.lock:
            self.children.discard(child)
            if self.stopping or (code == 0 and index >= block.stop):
                return range(0)
            self.done += 1
            last = " ".join(child.stderr.read().split())[-300:] if child.stderr else ""
            what = f"no word for {PATIENCE} seconds" if watch.bit else f"the process ended with code {code}"
            self._fault(index, told, f"{what} {last}")
        return range(index + 1, block.stop)

    def _fault(self, index: int, told: str, fault: str) -> None:
        self.faults.append((index, told, fault))
        print(f"FAULT {self.again} --only {index}: {told}\n    {fault}", flush=True)


class Watch:
    """Kills a process that prints nothing for too long."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child, self.bit = child, False
        self.timer = threading.Timer(PATIENCE, self._bite)
        self.timer.start()

    def heard(self) -> None:
        self.timer.cancel()
        self.timer = threading.Timer(PATIENCE, self._bite)
        self.timer.start()

    def cancel(self) -> None:
        self.timer.cancel()

    def _bite(self) -> None:
        self.bit = True
        self.child.kill()


if __name__ == "__main__":
    sys.exit(main())
