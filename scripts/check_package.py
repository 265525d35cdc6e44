"""Check a built wheel and source archive: files that must be there or must not, and that both give the same wheel."""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PARTS = {"jaxcnn/__init__.py", "jaxcnn/py.typed"} | {f"jaxcnn/train/report/page.{end}" for end in ("html", "css", "js")}
RELATIVE = re.compile(r"\]\((?!https?:|#)")


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def faults(wheel: Path, source: Path):
    files = content(wheel)
    page = next(files[name].decode() for name in files if name.endswith(".dist-info/METADATA"))
    strangers = [name for name in files if not re.match(r"jaxcnn(-[\d.]+\.dist-info)?/", name)]
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    yield from (f"the wheel lacks {name}" for name in sorted(PARTS - files.keys()))
    yield from (f"the wheel holds {name}" for name in strangers)
    yield from (
        f"the source archive lacks {name}" for name in ("LICENSE", "README.md", "pyproject.toml") if name not in names
    )
    yield from (f"the source archive holds {name}" for name in names if re.match(r"runs/|\.git/|\.venv|dist/", name))
    if RELATIVE.search(page):
        yield "the description links into the checkout"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(source)]
        subprocess.run(command, check=True)
        if content(next(Path(folder).glob("*.whl"))) != files:
            yield "the source archive builds another wheel"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path, help="the folder that `python -m build` filled")
    dist = parser.parse_args().dist
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    if found := list(faults(wheel, source)):
        sys.exit("\n".join(found))
    print(f"{wheel.name} and {source.name} hold what they should")


if __name__ == "__main__":
    main()
