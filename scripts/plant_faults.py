"""Plant faults in a copy of the checkout, one at a time, and see which tests find each, and how soon.

    scripts/plant_faults.py                      each fault, by the test file that is about it
    scripts/plant_faults.py --suite              each fault, by the whole suite
    scripts/plant_faults.py --each tests/core    which of these files find it, each by itself, and after how long
    scripts/plant_faults.py tests/core/test_x.py --only words   by these tests, the faults in whose description they are

But for `--each`, a run ends at the first failure. Exit code 1 where a fault is not found.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOUND = "JAXCNN_FOUND"  # the folder in which pytest's workers tell of failures


@dataclass(frozen=True)
class Fault:
    """What goes wrong, the edit that makes it so, and the law that it breaks."""

    what: str
    file: str
    old: str
    new: str
    law: str

    def plant(self, root: Path) -> None:
        path = root / "jaxcnn" / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise SystemExit(f"{self.what}: {self.file} has {text.count(self.old)} times, not once: {self.old}")
        path.write_text(text.replace(self.old, self.new))


FAULTS = (
    Fault(
        "symmetric padding repeats as reflect does",
        "_padding.py",
        '1 if mode == "reflect" else 0',
        '1 if mode in ("reflect", "symmetric") else 0',
        "core/test_equals_loops",
    ),
    Fault(
        "SAME puts the odd cell first",
        "_geometry.py",
        '(less, more) if name == "SAME"',
        '(more, less) if name == "SAME"',
        "core/test_equals_loops",
    ),
    Fault(
        "ceil mode starts a window in the high padding",
        "_geometry.py",
        "return larger(out - 1, smaller(out, -(-(self.size + self.low) // self.stride)))",
        "return out",
        "core/test_equals_loops",
    ),
    Fault(
        "a tie goes to the last winner",
        "_reduce.py",
        "lax.ge(a[0], b[0])",
        "lax.gt(a[0], b[0])",
        "core/test_first_winner",
    ),
    Fault(
        "a tie is split",
        "_reduce.py",
        "return first_winner(x, (axis,), g.but(axis, a), {axis: origin}, combine)",
        "return _reduce_along((x,), axis, a, g, BEST[combine])[0]",
        "core/test_first_winner",
    ),
    Fault(
        "a NaN loses",
        "_reduce.py",
        "_keep(lax.bitwise_or(lax.ge(a[0], b[0]), lax.ne(a[0], a[0])), a, b)",
        "_keep(lax.ge(a[0], b[0]), a, b)",
        "core/test_first_winner",
    ),
    Fault(
        "a mean counts ceil mode's overhang",
        "_pool_modes.py",
        "(0, a.padded) if count_include_pad",
        "(0, a.padded + a.overhang) if count_include_pad",
        "core/test_equals_loops",
    ),
    Fault(
        "half precisions are summed as they are",
        "_arrays.py",
        "float_info(dtype).bits < 32:",
        "float_info(dtype).bits < 16:",
        "core/test_dtypes",
    ),
    Fault(
        "the mirrored kernel keeps its last axis",
        "_engine/rewrites/mirror.py",
        "jnp.flip(kernel, range(3, kernel.ndim))",
        "jnp.flip(kernel, range(3, max(kernel.ndim - 1, 4)))",
        "core/test_conv_transpose_is_adjoint",
    ),
    Fault(
        "samples left over by the blocks are dropped",
        "_engine/rewrites/sample_blocks.py",
        "return total if whole == samples else total + then(rest, a[whole:], b[whole:])",
        "return total",
        "core/test_blocks_change_nothing",
    ),
    Fault(
        "a program has one operation more for each 4,096 samples",
        "_engine/rewrites/sample_blocks.py",
        "y = y.reshape(whole, *y.shape[2:])",
        "y = sum([y.reshape(whole, *y.shape[2:])] * max(samples // 4096, 1))",
        "core/test_programs_stay_small",
    ),
    Fault(
        "the transform is one cell short",
        "_engine/algorithms/fft.py",
        "return [_smooth(a.padded)",
        "return [_smooth(a.padded - 1)",
        "core/test_transform_bound",
    ),
    Fault(
        "a dilated kernel's gradient is read undilated",
        "_engine/algorithms/fft.py",
        "slice(0, a.span, a.dilation)",
        "slice(0, a.window)",
        "core/test_transform_bound",
    ),
    Fault(
        "vmap over kernels mixes them with the groups",
        "_engine/primitive.py",
        "made.reshape(*made.shape[:at], size, side, *made.shape[at + 1 :]), at",
        "made.reshape(*made.shape[:at], side, size, *made.shape[at + 1 :]).swapaxes(at, at + 1), at",
        "core/test_vmap_is_stack",
    ),
    Fault(
        "a fill has no gradient",
        "_padding.py",
        "jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, fill)",
        "jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, jax.lax.stop_gradient(fill))",
        "core/test_ways_agree",
    ),
    Fault(
        "evaluation drops the last partial batch",
        "train/batches.py",
        "order = np.arange(len(split.targets), dtype=np.int32)",
        "order = np.arange(max(len(split.targets) // size, 1) * size, dtype=np.int32)[: len(split.targets)]",
        "train/test_evaluate_counts",
    ),
    Fault(
        "training drops the last partial batch",
        "train/calls.py",
        "            yield Call(1 + epoch, steps, batch, indices)",
        "            if batch == plan.batch_size:\n                yield Call(1 + epoch, steps, batch, indices)",
        "train/test_train_every_image_counts",
    ),
    Fault(
        "samples that pad a batch count",
        "train/devices.py",
        "jnp.asarray(padded < samples, jnp.float32)",
        "jnp.ones(len(padded), jnp.float32)",
        "train/test_devices_share_a_batch",
    ),
    Fault(
        "a resumed run begins its epoch anew",
        "train/calls.py",
        "epoch, first = divmod(done, plan.steps_per_epoch)",
        "epoch, first = done // plan.steps_per_epoch, 0",
        "train/test_resume_changes_nothing",
    ),
    Fault(
        "cross-entropy overflows",
        "train/loss.py",
        "jax.nn.log_softmax(logits.astype(jnp.float32) if narrow else logits)",
        "jnp.log(jnp.exp(logits) / jnp.exp(logits).sum(-1, keepdims=True))",
        "train/test_train_cross_entropy",
    ),
    Fault(
        "an IDX file may go on after its last value",
        "train/data/idx.py",
        "if len(body) != count:",
        "if len(body) < count:",
        "train/test_train_data",
    ),
    # In files that the faults above leave out.
    Fault(
        "a long window's runs lie as if it had no dilation",
        "_reduce.py",
        "apart = fine * a.dilation",
        "apart = fine",
        "core/test_long_windows",
    ),
    Fault(
        "strides and pads count the spatial axes in the data's order, not the kernel's",
        "_layout.py",
        'for letter in dimension_numbers[1] if letter not in "OI"',
        'for letter in dimension_numbers[0] if letter not in "NC"',
        "core/test_layouts",
    ),
    Fault(
        "a transposed SAME cuts the odd cell off the other end",
        "_conv_transpose.py",
        "tuple((low, full - low - out) for",
        "tuple((full - low - out, low) for",
        "core/test_conv_transpose_is_adjoint",
    ),
    Fault(
        "groups of samples are interleaved",
        "_conv_general_dilated.py",
        "x.reshape(groups, x.shape[0] // groups, *x.shape[1:]).swapaxes(0, 1)",
        "x.reshape(x.shape[0] // groups, groups, *x.shape[1:])",
        "core/test_lax_door",
    ),
    Fault(
        "under jit a negative index counts from the end",
        "_pool_indices.py",
        "jnp.where((index < 0) | (index >= cells), cells, index)",
        "jnp.where(index >= cells, cells, index)",
        "core/test_indices_name_winners",
    ),
    Fault(
        "an adaptive mean of integers is an integer",
        "_adaptive.py",
        'jax.eval_shape(jnp.mean, x).dtype if mode == "mean" else x.dtype',
        "x.dtype",
        "core/test_adaptive_windows",
    ),
    Fault(
        "of more taps than run in one loop the last ones get the first ones' gradient",
        "_engine/algorithms/shifts.py",
        "products[first : first + at_once]",
        "products[:at_once][: len(products) - first]",
        "core/test_error_at_most_twice_lax",
    ),
    Fault(
        "of two checkpoints one is kept",
        "train/checkpoint.py",
        "policies.LatestN(2)",
        "policies.LatestN(1)",
        "train/test_resume_changes_nothing",
    ),
    Fault(
        "what is transparent is black",
        "train/picture.py",
        'Image.new("RGBA", image.size, "white")',
        'Image.new("RGBA", image.size, "black")',
        "train/test_predict_as_mnist",
    ),
    Fault(
        "precision and recall change places",
        "train/scores.py",
        "_share(hit, predicted), _share(hit, count)",
        "_share(hit, count), _share(hit, predicted)",
        "train/test_evaluate_counts",
    ),
    Fault(
        "samples left over by the step's blocks teach nothing",
        "train/step.py",
        "sums, rest = add(sums, jax.tree.map(lambda a: a[whole:], (batch, weights)))",
        "_, rest = add(sums, jax.tree.map(lambda a: a[whole:], (batch, weights)))",
        "train/test_train_step_is_optax",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help="given to pytest in place of the law's own file")
    parser.add_argument("--suite", action="store_true", help="the whole suite")
    parser.add_argument("--each", action="store_true", help="go on in every file up to its first failure")
    parser.add_argument("--only", default="", help="faults in whose description, or in whose file, this stands")
    parser.add_argument("--seconds", type=float, default=600, help="after which a fault counts as not found")
    args = parser.parse_args()
    faults = [fault for fault in FAULTS if args.only in fault.what or args.only in fault.file]
    print("| fault | found by, after seconds of CPU |\n|---|---|", flush=True)
    found = 0
    for fault in faults:
        tests = args.tests or ([] if args.suite else [f"tests/{fault.law}.py"])
        by = _files_that_find(fault, tests, args.seconds, each=args.each)
        told = ", ".join(f"{name} {seconds:.0f}" for name, seconds in sorted(by.items(), key=lambda one: one[1]))
        print(f"| {fault.what} | {told or 'nothing'} |", flush=True)
        found += bool(by)
    print(f"\n{found} of {len(faults)} found")
    sys.exit(found < len(faults))


def _files_that_find(fault: Fault, tests: list[str], seconds: float, *, each: bool) -> dict[str, float]:
    """The test files that fail, and the CPU seconds from their first test to their first failure."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as notes:
        root = Path(folder) / "checkout"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".git", ".venv*", "runs", "_built", "__pycache__"))
        fault.plant(root)
        ends = [] if each else ["-x"]
        command = [sys.executable, "-m", "pytest", "-p", "plant_faults", *ends, "--no-header", "--tb=no", *tests]
        environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'scripts'}", FOUND: notes}
        with subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as run:
            try:
                run.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
        lines = [line for path in Path(notes).iterdir() for line in path.read_text().splitlines()]
    return dict(map(json.loads, lines))


# In pytest's workers, which load this file as a plugin ----------------------------------------------------------------


class FirstFailures:
    """Records the first failure of each file, and skips the rest of that file."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.began.setdefault(item.location[0], self._now())
        if item.location[0] in self.failed:
            pytest.skip("this file has found the fault")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        report = yield
        file = item.location[0]
        if report.failed and file not in self.failed:
            self.failed.add(file)
            with (Path(os.environ[FOUND]) / str(os.getpid())).open("a") as notes:
                notes.write(json.dumps([file, self._now() - self.began.get(file, self._now())]) + "\n")
        return report

    def _now(self) -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


def pytest_configure(config: pytest.Config) -> None:
    if FOUND in os.environ:
        config.pluginmanager.register(FirstFailures(), "first failures")


if __name__ == "__main__":
    main()
