"""Plant faults in a copy of the checkout, one at a time, and see which test finds each, and how soon.

Every fault is held against the same tests, in the same order, stopped at the first failure.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The laws that tell the most in the least time, in this order.
LAWS = (
    "train_cross_entropy", "train_data", "evaluate_counts", "train_every_image_counts", "same_is_ceil", "first_winner",
    "dtypes", "nan_stays", "transform_bound", "blocks_change_nothing", "transforms", "vmap_is_stack", "equals_loops",
    "equals_lax", "resume_changes_nothing", "devices_share_a_batch",
)  # fmt: skip
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and the edit that makes it so."""

    what: str
    file: str
    old: str
    new: str

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
        '"symmetric": "symmetric"',
        '"symmetric": "reflect"',
    ),
    Fault(
        "SAME puts the odd cell first",
        "_geometry.py",
        '(less, more) if name == "SAME"',
        '(more, less) if name == "SAME"',
    ),
    Fault(
        "ceil mode starts a window in the high padding",
        "_geometry.py",
        "return out - 1 if (out - 1) * self.stride >= self.size + self.low else out",
        "return out",
    ),
    Fault("a tie goes to the last winner", "_reduce.py", "_keep((a[0] >= b[0])", "_keep((a[0] > b[0])"),
    Fault(
        "a tie is split",
        "_reduce.py",
        "return (first_winner(cells[0], axis, laid, combine),)",
        "return functools.reduce(BEST[combine], zip(tap_slices(cells[0], axis, laid), strict=True))",
    ),
    Fault("a NaN loses", "_reduce.py", "_keep((a[0] >= b[0]) | (a[0] != a[0]), a, b)", "_keep(a[0] >= b[0], a, b)"),
    Fault(
        "a mean counts ceil mode's overhang", "_pool_modes.py", "[(0, a.padded) if", "[(0, a.padded + a.overhang) if"
    ),
    Fault(
        "half precisions are summed as they are",
        "_padding.py",
        "jnp.float32 if dtype in (jnp.bfloat16, jnp.float16) else dtype",
        "dtype",
    ),
    Fault(
        "the mirrored kernel keeps its last axis",
        "_ways/reshape.py",
        "jnp.flip(b, range(3, b.ndim))",
        "jnp.flip(b, range(3, max(b.ndim - 1, 4)))",
    ),
    Fault(
        "samples left over by the blocks are dropped",
        "_ways/reshape.py",
        "return total if whole == samples else total + contract(face, a[whole:], b[whole:], g)",
        "return total",
    ),
    Fault(
        "the transform is one cell short", "_ways/fft.py", "return [_smooth(a.padded)", "return [_smooth(a.padded - 1)"
    ),
    Fault(
        "a dilated kernel's gradient is read undilated",
        "_ways/fft.py",
        "slice(0, a.span, a.dilation)",
        "slice(0, a.window)",
    ),
    Fault(
        "vmap over kernels mixes them with the groups",
        "_contract.py",
        "made.reshape(*made.shape[:at], size, side, *made.shape[at + 1 :]), at",
        "made.reshape(*made.shape[:at], side, size, *made.shape[at + 1 :]).swapaxes(at, at + 1), at",
    ),
    Fault(
        "a fill has no gradient",
        "_padding.py",
        "jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, fill)",
        "jnp.where(jnp.broadcast_to(on_map, padded.shape), padded, jax.lax.stop_gradient(fill))",
    ),
    Fault(
        "evaluation drops the last partial batch",
        "train/batches.py",
        "order = np.arange(len(split.targets), dtype=np.int32)",
        "order = np.arange(max(len(split.targets) // size, 1) * size, dtype=np.int32)[: len(split.targets)]",
    ),
    Fault(
        "training drops the last partial batch",
        "train/loop.py",
        "for batch in batches(split, plan.batch_size, order):",
        "for batch in batches(split, plan.batch_size, order[: len(order) - len(order) % plan.batch_size]):",
    ),
    Fault(
        "filled-up samples count",
        "train/devices.py",
        "jnp.asarray(filled < samples, jnp.float32)",
        "jnp.ones(len(filled), jnp.float32)",
    ),
    Fault(
        "a resumed run begins its epoch anew",
        "train/loop.py",
        "epoch_order(seed, epoch, plan.samples)[steps * plan.batch_size :]",
        "epoch_order(seed, epoch, plan.samples)",
    ),
    Fault(
        "cross-entropy overflows",
        "train/loss.py",
        "jax.nn.log_softmax(logits.astype(jnp.float32) if narrow else logits)",
        "jnp.log(jnp.exp(logits) / jnp.exp(logits).sum(-1, keepdims=True))",
    ),
    Fault(
        "an IDX file may go on after its last value",
        "train/data/idx.py",
        "if len(body) != count:",
        "if len(body) < count:",
    ),
    # Ten and one, planted before the suite was thinned out, in files that none of the faults above is in.
    Fault(
        "a long window's runs lie as if it had no dilation",
        "_windows.py",
        "_slices(x, at, coarse, fine * a.dilation, last",
        "_slices(x, at, coarse, fine, last",
    ),
    Fault(
        "strides and pads count the spatial axes in the data's order, not the kernel's",
        "_layout.py",
        'for letter in dimension_numbers[1] if letter not in "OI"',
        'for letter in dimension_numbers[0] if letter not in "NC"',
    ),
    Fault(
        "a transposed SAME cuts the odd cell off the other end",
        "_conv_transpose.py",
        "tuple((low, full - low - out) for",
        "tuple((full - low - out, low) for",
    ),
    Fault(
        "groups of samples are interleaved",
        "_lax_door.py",
        "x.reshape(batch_group_count, x.shape[0] // batch_group_count, *x.shape[1:]).swapaxes(0, 1)",
        "x.reshape(x.shape[0] // batch_group_count, batch_group_count, *x.shape[1:])",
    ),
    Fault(
        "under jit a negative index counts from the end",
        "_pool_indices.py",
        "jnp.where((index < 0) | (index >= cells), cells, index)",
        "jnp.where(index >= cells, cells, index)",
    ),
    Fault(
        "an adaptive mean of integers is an integer",
        "_adaptive.py",
        'jax.eval_shape(jnp.mean, x).dtype if mode == "mean" else x.dtype',
        "x.dtype",
    ),
    Fault(
        "of more taps than run in one loop the last ones get the first ones' gradient",
        "_ways/shifts.py",
        "products[first : first + SUMS]",
        "products[:SUMS][: len(products) - first]",
    ),
    Fault("of two checkpoints one is kept", "train/checkpoint.py", "policies.LatestN(2)", "policies.LatestN(1)"),
    Fault(
        "what is transparent is black",
        "train/picture.py",
        'Image.new("RGBA", image.size, "white")',
        'Image.new("RGBA", image.size, "black")',
    ),
    Fault(
        "precision and recall change places",
        "train/scores.py",
        "_share(hit, predicted), _share(hit, count)",
        "_share(hit, count), _share(hit, predicted)",
    ),
    Fault(
        "samples left over by the step's blocks teach nothing",
        "train/step.py",
        "sums, rest = add(sums, jax.tree.map(lambda a: a[whole:], (batch, weights)))",
        "_, rest = add(sums, jax.tree.map(lambda a: a[whole:], (batch, weights)))",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tests", nargs="*", default=[f"tests/test_{law}.py" for law in LAWS], help="given to pytest")
    parser.add_argument("--only", default="", help="faults in whose description this stands")
    parser.add_argument("--seconds", type=float, default=60, help="after which a fault counts as not found")
    arguments = parser.parse_args()
    faults = [fault for fault in FAULTS if arguments.only in fault.what]
    print("| fault | found by | seconds |\n|---|---|---|", flush=True)
    found = sum(_try(fault, arguments.tests, arguments.seconds) for fault in faults)
    print(f"\n{found} of {len(faults)} found within {arguments.seconds:.0f} s each")
    sys.exit(found < len(faults))


def _try(fault: Fault, tests: list[str], seconds: float) -> bool:
    """Whether the tests find the fault in time; the row of the table is printed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".git", ".venv*", "runs", "_built", "__pycache__"))
        fault.plant(root)
        start = time.perf_counter()
        output = _first_failure(root, tests, seconds)
        took, names = time.perf_counter() - start, FAILED.findall(output)
    print(f"| {fault.what} | {f'`{names[0]}`' if names else 'nothing'} | {took:.0f} |", flush=True)
    return bool(names)


def _first_failure(root: Path, tests: list[str], seconds: float) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "--no-header", "--tb=no", *tests]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as run:  # fmt: skip
        try:
            return run.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, 9)
            return ""


if __name__ == "__main__":
    main()
