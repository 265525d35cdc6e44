"""Fuzz the readers of files, guided by coverage (needs the extra `fuzz`): any bytes give a result or an `InputError`.

Each reader runs in a process of its own under libFuzzer, from the seeds, the doors and the law of
`tests/train/bad_files.py`. An input that breaks the law is kept, named and counted once for each place where it does;
the exit code is then 1.
"""

import argparse
import hashlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests" / "train"
INSTRUMENTED = ["jaxcnn.train", "PIL", "gzip", "json", "numpy.lib", "orbax.checkpoint", "zipfile"]
NAMES = ("idx", "picture", "npz", "config", "metrics", "params", "checkpoint")
LONGEST = 4096
HANG = 60
"""Seconds by the clock, which a busy machine may take from a process; the law has 5 of its own time."""
ROOM = 6 * 2**30
"""Address space that a process may add to what it has when it begins."""


def place(error: BaseException) -> str:
    """Where an error comes from; errors from one place count as one fault."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "jaxcnn" in frame.filename] or frames
    return f"{type(error).__name__} in {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def work(name: str, seconds: int, seed: int, corpus: Path, faults: Path) -> None:
    """Fuzz one reader; libFuzzer ends the process."""
    import atheris

    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    with atheris.instrument_imports(include=INSTRUMENTED):
        import bad_files
    folder = Path(tempfile.mkdtemp(prefix="fuzz_files_"))
    reader = bad_files.READERS[name](folder)
    known = set()

    def one(content: bytes) -> None:
        try:
            reader(content)
        except Exception as error:  # noqa: BLE001  (each is a fault, and reported)
            if (fault := place(error)) not in known:
                known.add(fault)
                path = faults / f"{name}-{hashlib.sha1(content).hexdigest()[:12]}"
                path.write_bytes(content)
                print(f"FAULT {path}: {fault}: {str(error)[:200]!r}", flush=True)

    for content in reader.seeds:
        one(content)  # load everything first, so that no input is charged for it
        (corpus / hashlib.sha1(content).hexdigest()).write_bytes(content)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    options = {"seed": seed, "max_total_time": seconds, "timeout": HANG, "max_len": LONGEST, "print_final_stats": 1}
    options |= {"artifact_prefix": f"{faults}/{name}-"}
    atheris.Setup([sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)], one)
    atheris.Fuzz()


def fuzz(name: str, seconds: int, seed: int, corpus: Path | None, faults: Path) -> int:
    """Fuzz one reader in a process of its own, print the faults, and return their number."""
    folder = (corpus or Path(tempfile.mkdtemp(prefix="corpus_"))) / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--work", "--reader", name, "--seconds", str(seconds), "--seed", str(seed)]
    command += ["--corpus", str(folder), "--faults", str(faults)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    found = [line for line in done.stdout.splitlines() if line.startswith(("FAULT ", "Test unit written to "))]
    print(*found, sep="\n", end="\n" if found else "")
    executions = re.findall(r"stat::number_of_executed_units: (\d+)", done.stdout)
    if not executions or done.returncode:
        found.append("an end before its time")
        print(f"{name}: the process ended with {done.returncode}:\n{done.stdout[-3000:]}")
    covered = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", done.stdout) or [("?", "?")]
    print(
        f"{name}: seed {seed}, {seconds} s, {(executions or ['?'])[-1]} executions, {covered[-1][1]} inputs kept, "
        f"{covered[-1][0]} branches covered, {len(found)} faults",
        flush=True,
    )
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", choices=NAMES, nargs="*", default=NAMES)
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    parser.add_argument("--corpus", type=Path, help="folder of inputs to begin with, and to keep new ones in")
    parser.add_argument("--faults", type=Path, default=Path("faults"), help="where inputs that break the law are kept")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    line = parser.parse_args()
    line.faults.mkdir(parents=True, exist_ok=True)
    if line.work:
        work(line.reader[0], line.seconds, line.seed, line.corpus, line.faults)
    counts = [fuzz(name, line.seconds, line.seed, line.corpus, line.faults.absolute()) for name in line.reader]
    print(f"{sum(counts)} faults")
    return int(sum(counts) > 0)


if __name__ == "__main__":
    sys.exit(main())
