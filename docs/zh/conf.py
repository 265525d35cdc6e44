"""The Chinese site, which the build of the English one starts; by itself: `sphinx-build -W -n -b html docs/zh OUT`."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]

import _settings  # noqa: E402  found by the path above

globals().update(_settings.of("zh"))


def setup(app: object) -> None:
    _settings.connect(app)
