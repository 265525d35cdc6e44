"""The animated pictures are what their script draws, stand still when asked to, and can be taken away by anyone."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from checks import module_at

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
NAMES = ("moving_window", "padding", "stride", "dilation", "transposition", "ceil_mode")
EMBEDDED = re.compile(r'<div class="animation" data-picture="(\w+)"></div>')
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script():
    return module_at(ROOT / "scripts" / "draw_animations.py")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_what_the_script_draws(script, name):
    assert sorted(script.FILMS) == sorted(NAMES)
    remedy = "run scripts/draw_animations.py"
    assert (PICTURES / f"{name}.svg").read_text() == script.FILMS[name]().svg(), remedy


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_one_small_file_that_heeds_what_a_reader_asks_for(name):
    text = (PICTURES / f"{name}.svg").read_text()
    drawn = ElementTree.fromstring(text)
    assert len(drawn.find(f"{SVG}title").text) > 40
    assert len(text) < 12_000
    assert "@media(prefers-reduced-motion:reduce){*{animation:none!important}}" in text
    assert "@media(prefers-color-scheme:dark)" in text
    assert "@keyframes" in text
    assert not re.search(r"<script|<image|href|@import|url\(", text)


@pytest.mark.parametrize("name", NAMES)
def test_standing_still_a_picture_shows_its_last_step(name):
    """Without its animations: each output has exactly one number, and frames stand where the last window does."""
    text = (PICTURES / f"{name}.svg").read_text()
    still = dict(re.findall(r"^\.(\w+)\{(.+?);animation", text, re.MULTILINE))
    shown = [part for part in ElementTree.fromstring(text).iter(f"{SVG}text")
             if not any(still.get(style) == "opacity:0" for style in (part.get("class") or "").split())]  # fmt: skip
    places = [(part.get("x"), part.get("y")) for part in shown]
    assert len(places) == len(set(places))
    cells = [part for part in ElementTree.fromstring(text).iter(f"{SVG}rect") if part.get("class") == "cell"]
    assert len(cells) == len(shown) - 1 - sum("phantom" in (part.get("class") or "") for part in shown)
    moves = [style for name, style in still.items() if name.startswith("m")]
    assert 0 < len(moves) <= 2  # one where both frames go the same way
    assert all(re.fullmatch(r"transform:translate\(\d+px,\d+px\)", style) for style in moves)


def test_every_picture_has_its_words_its_licence_and_its_places():
    words = json.loads((PICTURES / "alternative_texts.json").read_text(encoding="utf-8"))
    assert {name: sorted(text) for name, text in words.items()} == {name: ["en", "zh"] for name in NAMES}
    licence = (PICTURES / "LICENSE.txt").read_text()
    assert "CC0 1.0" in licence
    assert set(re.findall(r"(\w+)\.svg", licence)) == set(NAMES)
    for page in ("playground.md", "zh/playground.md"):
        assert sorted(EMBEDDED.findall((ROOT / "docs" / page).read_text())) == sorted(NAMES)
    about_sizes = set(NAMES) - {"moving_window"}
    assert set(EMBEDDED.findall((ROOT / "docs" / "sizes.md").read_text())) == about_sizes
    lessons = "".join(path.read_text() for path in (ROOT / "docs" / "lessons").glob("*.py"))
    assert sorted(EMBEDDED.findall(lessons)) == sorted([*about_sizes] * 2)  # in both languages
