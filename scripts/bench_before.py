"""Compare the times of the operators in this checkout and in another one, in turn in one process.

git worktree add /tmp/before REVISION
scripts/bench_before.py /tmp/before
"""

import argparse
import importlib
import math
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import ModuleType

import bench_ops
import jax
from _timing import figures, headline, in_turn, machine, table_head, table_row

BEFORE = "jaxcnn_before"


def load_before(checkout: Path) -> ModuleType:
    """Load the other checkout's package under another name, so that both are there."""
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(checkout / "jaxcnn", folder / BEFORE)
    for path in [*(folder / BEFORE).rglob("*.py"), *(folder / BEFORE).rglob("*.pyi")]:
        text = path.read_text()
        path.write_text(text.replace("from jaxcnn", f"from {BEFORE}").replace("import jaxcnn", f"import {BEFORE}"))
    sys.path.insert(0, str(folder))
    return importlib.import_module(BEFORE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each pair")
    args = parser.parse_args()
    before = load_before(args.checkout)
    print(headline(machine()))
    print(table_head("operation", "before, ms", "now, ms", "before / now"))
    ratios = []
    for row in bench_ops.ROWS:
        if args.only not in row.name or row.table == bench_ops.CUDNN:
            continue
        drawn = bench_ops.draw(row)
        old = partial(getattr(before, row.ours.func.__name__), *row.ours.args, **row.ours.keywords)
        found = []
        for way in bench_ops.WAYS:
            now, then = (bench_ops.Program(f, drawn, way) for f in (row.ours, old))
            jax.block_until_ready((now(), then()))
            found.append(in_turn(now, then, args.seconds))
        ratios += [each.ratio for each in found]
        cells = [figures(*(getattr(each, name) for each in found)) for name in ("theirs", "ours")]
        print(table_row(row.name, *cells, figures(*(each.ratio for each in found))), flush=True)
    print(f"\ngeometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.3f}, least {min(ratios):.3f}")


if __name__ == "__main__":
    main()
