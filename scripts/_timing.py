"""What the benchmarks share: timing in turns and in blocks, torch if it is installed, the machine, number formats."""

import datetime
import json
import os
import platform
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jaxlib

Call = Callable[[], Any]
BLOCKS = 3
CALLS_IN_A_ROW = 20
PAUSE = 0.2  # seconds until torch's threads have stopped spinning
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@dataclass(frozen=True)
class Comparison:
    """Two calls compared: the median time of each in milliseconds, and medians over the pairs."""

    ours: float
    theirs: float
    ratio: float
    """theirs / ours: above 1 ours is faster"""
    excess: float
    """ours - theirs, in milliseconds"""

    @classmethod
    def of(cls, pairs):
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        return cls(ours, theirs, ratio, statistics.median(a - b for a, b in pairs))

    @property
    def behind(self) -> bool:
        """Slower than 1.05 times the other and by more than 30 microseconds."""
        return self.ratio < 1 / 1.05 and self.excess > 0.03


def timed(call: Call) -> tuple[float, Any]:
    """Milliseconds of one call until its result is ready, and the result.

    On a GPU many calls are made before one wait, so that the device is timed rather than the dispatch.
    """
    calls = CALLS_IN_A_ROW if torch_device() == "cuda" else 1
    start = time.perf_counter()
    for _ in range(calls):
        answer = call()
    jax.block_until_ready(answer)
    torch_wait()
    return 1e3 * (time.perf_counter() - start) / calls, answer


def repeat(call: Call, seconds: float) -> list[float]:
    """Milliseconds of each call: one call, then more until the time is over."""
    times, end = [timed(call)[0]], time.perf_counter() + seconds
    while time.perf_counter() < end and len(times) < 200:
        times.append(timed(call)[0])
    return times


def in_turn(ours: Call, theirs: Call, seconds: float) -> Comparison:
    """Call both in turn, in random order: at least five pairs, unless those take ten times as long as allowed."""
    pairs, start = [], time.perf_counter()
    while not pairs or time.perf_counter() < start + (seconds if len(pairs) >= 5 else 10 * seconds):
        if len(pairs) == 200:
            break
        if random.random() < 0.5:
            a, b = timed(ours)[0], timed(theirs)[0]
        else:
            b, a = timed(theirs)[0], timed(ours)[0]
        pairs.append((a, b))
    return Comparison.of(pairs)


def in_blocks(ours: Call, theirs: Call, seconds: float) -> Comparison:
    """A block of ours, a pause, a block of theirs, a pause: each pair holds the medians of two blocks."""
    pairs = []
    for _ in range(BLOCKS):
        pair = []
        for call in (ours, theirs):
            pair.append(statistics.median(repeat(call, seconds / BLOCKS / 2)))
            time.sleep(PAUSE)
        pairs.append(pair)
    return Comparison.of(pairs)


def torch_if_there(wanted: bool = True):
    """The module torch on all cores; None if it is not wanted, or can't use the device that jax uses."""
    if not wanted:
        return None
    try:
        import torch
    except ImportError:
        return None
    if torch_device() == "cuda" and not torch.cuda.is_available():
        return None
    torch.set_num_threads(CORES)
    # As JAX does by default: products of float32 may be rounded to TF32, and cuDNN's algorithms are tried out.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = True
    return torch


def torch_device() -> str:
    return "cuda" if jax.default_backend() == "gpu" else "cpu"


def torch_wait() -> None:
    """torch returns before the GPU is done."""
    if "torch" in sys.modules and torch_device() == "cuda":
        sys.modules["torch"].cuda.synchronize()


def machine(torch=None) -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": CORES,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "torch": torch and torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def headline(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact)


def figure(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def figures(*values: float | None) -> str:
    return "-" if all(value is None for value in values) else " / ".join(map(figure, values))


def table_row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table_head(*names: str) -> str:
    return table_row(*names) + "\n|" + "---|" * len(names)


def print_list(title: str, names: list[str]) -> None:
    print(f"{title}:", *(f"- {name}" for name in names or ["none"]), sep="\n")


def write_json(path: str | None, content: Any) -> None:
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content, indent=1) + "\n")
