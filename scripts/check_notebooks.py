"""Run the lessons' notebooks as a reader would: one pip install into an empty environment, an empty folder each.

The notebooks are those that the build of the site has left: run `sphinx-build docs docs/_build/html` first.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "docs" / "lessons" / "notebooks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(NOTEBOOKS.glob("*.ipynb")))
    notebooks = parser.parse_args().notebooks
    if not notebooks:
        raise SystemExit(f"there are no notebooks in {NOTEBOOKS}: build the site first")
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([environment / "bin" / "pip", "install", "--quiet", f"{ROOT}[lessons]"], check=True)
        away = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        for notebook in notebooks:
            place = Path(folder) / notebook.stem
            place.mkdir()
            shutil.copy(notebook, place)
            begin = time.perf_counter()
            command = [environment / "bin" / "jupyter", "execute", notebook.name]
            subprocess.run(command, cwd=place, check=True, env=away | {"JAX_PLATFORMS": "cpu"}, capture_output=True)
            print(f"{notebook.stem}: {time.perf_counter() - begin:.0f} s, left {sorted(os.listdir(place))}", flush=True)
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
