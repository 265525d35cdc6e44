"""CPU seconds of each test file: in its own process, of those in tracing and compiling, and in programs it starts.

Arguments go to pytest: `scripts/bench_tests.py tests/core -n 1`. Workers write a line per test; the parent sums.
"""

import collections
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import jax
import pytest

COMPILING = "/jax/core/compile/"


class Seconds:
    """A pytest plugin that records the cost of each test, its fixtures included."""

    def __init__(self, folder: str):
        self.folder, self.compiling = Path(folder), 0.0
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event: str, seconds: float, **_):
        if event.startswith(COMPILING):
            self.compiling += seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        before = self._now()
        result = yield
        spent = [now - then for now, then in zip(self._now(), before, strict=True)]
        with (self.folder / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps([item.location[0], *spent]) + "\n")
        return result

    def _now(self) -> tuple[float, float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time(), self.compiling, children.ru_utime + children.ru_stime


def pytest_configure(config):
    """pytest-xdist's workers load this file as a plugin, by its name."""
    if "JAXCNN_BENCH_TESTS" in os.environ:
        config.pluginmanager.register(Seconds(os.environ["JAXCNN_BENCH_TESTS"]), "seconds")


def main() -> int:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAXCNN_BENCH_TESTS"] = folder
        os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        sys.path.insert(0, str(Path(__file__).parent))
        code = pytest.main(["-p", "bench_tests", *sys.argv[1:]])
        lines = [json.loads(line) for path in Path(folder).glob("*.jsonl") for line in path.read_text().splitlines()]
    files: dict[str, list[float]] = collections.defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for name, *spent in lines:
        files[name] = [files[name][0] + 1, *(a + b for a, b in zip(files[name][1:], spent, strict=True))]
    print("| file | tests | own CPU, s | of that compiling | programs' CPU, s |\n|---|---|---|---|---|")
    for name, row in sorted(files.items(), key=lambda each: -each[1][1] - each[1][3]):
        print("| {} | {} | {:.1f} | {:.1f} | {:.1f} |".format(name, *row))
    total = [sum(column) for column in zip(*files.values(), strict=True)]
    print("| all | {} | {:.0f} | {:.0f} | {:.0f} |".format(*total))
    print(f"\n{time.perf_counter() - start:.0f} s on the clock")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
