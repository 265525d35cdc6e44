"""What the program says of itself: the `--help` of each of its commands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxcnn.train.commands.door import COMMANDS

WIDTH = 100


def write(target: Path) -> None:
    """Write `target/command_line.txt`: a heading and the help for each command."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "command_line.txt").write_text("\n".join(_lines()))


def _lines() -> Iterator[str]:
    yield from ("```text", help_of(), "```", "")
    for name in COMMANDS:
        yield from (f"## {name}", "", "```text", help_of(name), "```", "")


def help_of(*arguments: str) -> str:
    """What the program prints for `--help`, as on a terminal of `WIDTH` columns."""
    environment = os.environ | {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "jaxcnn", *arguments, "--help"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
