"""The site: `sphinx-build -W --keep-going -n -b html docs docs/_build/html`, with the Chinese one in its folder zh/."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]

import _settings  # noqa: E402  found by the path above

globals().update(_settings.of("en"))


def setup(app: object) -> None:
    _settings.connect(app)
    _settings.build_beside(app, DOCS / "zh", "zh")
