"""Lessons are tested where they can be built: with the extra `docs`, in the last stage of .ci/run."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("jupytext") else ["test_lessons_share_outputs.py"]
