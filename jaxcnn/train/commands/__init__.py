"""The commands that people type, a file each."""

import sys
from pathlib import Path


def started_as() -> str:
    """What a user types before a command: the console script's name, or the module that does the same."""
    return "jaxcnn" if Path(sys.argv[0]).stem == "jaxcnn" else "python -m jaxcnn"
