"""How much longer `import jaxcnn` takes than `import jax`: the median of pairs, each import in a fresh process."""

import argparse
import statistics
import subprocess
import sys
import time


def seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    seconds("jaxcnn")  # the first import reads from the disk
    taken = [(seconds("jax"), seconds("jaxcnn")) for _ in range(pairs)]
    more = statistics.median(ours - alone for alone, ours in taken)
    print(f"import jax: {statistics.median(alone for alone, _ in taken):.3f} s")
    print(f"import jaxcnn: {1000 * more:.0f} ms more (median of {pairs} pairs)")


if __name__ == "__main__":
    main()
