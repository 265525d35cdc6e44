"""Each release's benchmarks are on the site, and a file that they did not write is refused."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "docs" / "extensions")]
history = importlib.import_module("benchmark_history")
MACHINE = {"cores": 2, "cpu": "some processor", "jax": "0.10.2", "date": "2026-11-27T12:00:00+00:00"}
BOTH = {"compared": {"lax": {"ratio": 2.0}}}
OPS = {"machine": MACHINE, "rows": [{"case": "dense", "once": False, "both": BOTH}, {"case": "huge", "once": True}]}
MODELS = {"machine": MACHINE, "rows": [{"model": "some model", "step": {"ratio": 0.5}}]}


def put(folder, version, name, content):
    (folder / version).mkdir(parents=True, exist_ok=True)
    (folder / version / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_each_release_has_its_files_and_the_page_shows_them():
    kept = {name: history.releases(ROOT / "docs" / "history", name) for name in history.TITLES}
    released = re.findall(r"^## ([\d.]+), \d", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    for name, found in kept.items():
        assert {each.version for each in found} >= set(released), name

    assert "```{include} _built/history.md" in (ROOT / "docs" / "history.md").read_text()


@pytest.mark.parametrize("releases", [0, 1, 10])
def test_a_column_for_each_release_in_their_order(tmp_path, releases):
    for number in range(releases):
        put(tmp_path, f"0.{number + 1}.0", "ops.json", OPS)
        put(tmp_path, f"0.{number + 1}.0", "models.json", MODELS)
    history.write(tmp_path, tmp_path / "built")
    page = (tmp_path / "built" / "history.md").read_text()
    versions = [f"0.{number + 1}.0" for number in range(releases)]
    if not releases:
        assert page == history.NOTHING + "\n"
        return
    assert page.count("| lax / jaxcnn, with gradients | " + " | ".join(versions) + " |\n") == 2
    assert "| dense |" + " 2 |" * releases in page
    assert "| some model |" + " 0.5 |" * releases in page
    for name in re.findall(r"_built/(\S+)", page):
        picture = (tmp_path / "built" / name).read_text()
        assert [version for version in versions if f">{version}<" in picture] == versions


@pytest.mark.parametrize(
    ("version", "content", "message"),
    [
        ("0.1.0", '{"rows"', "is not what --json writes"),
        ("0.1.0", [], "is not what --json writes"),
        ("0.1.0", {"rows": OPS["rows"]}, "is not what --json writes: KeyError.'machine'"),
        ("0.1.0", OPS | {"rows": [{"case": "dense", "once": False}]}, "is not what --json writes: KeyError.'both'"),
        ("0.1.0", OPS | {"rows": []}, "has no rows"),
        ("0.1.0", {"machine": MACHINE, "rows": [{"model": "m", "step": {"ratio": -1}}]}, "of m is -1; give a positive"),
        ("newest", OPS, "name the folder by a version"),
    ],
)
def test_another_file_is_refused(tmp_path, version, content, message):
    put(tmp_path, version, "ops.json", content)
    with pytest.raises(history.HistoryError, match=message):
        history.releases(tmp_path, "ops.json")
