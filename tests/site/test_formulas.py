"""Every formula of the site shows what its TeX says: each sign, each fraction around its parts, each word whole."""

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from checks import module_at

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "extensions"))
katex = module_at(DOCS / "extensions" / "katex.py")

# What each command puts on the page; None lays out and shows nothing of its own.
SIGNS = {
    r"\sum": "∑", r"\prod": "∏", r"\partial": "∂", r"\infty": "∞", r"\eta": "η", r"\lambda": "λ", r"\theta": "θ",
    r"\cdot": "⋅", r"\times": "×", r"\star": "⋆", r"\ge": "≥", r"\le": "≤", r"\approx": "≈", r"\|": "∥",
    r"\to": "→", r"\leftarrow": "←", r"\Longrightarrow": "⟹", r"\Longleftrightarrow": "⟺",
    r"\langle": "⟨", r"\rangle": "⟩", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈", r"\rceil": "⌉",
    r"\dots": "…", r"\log": "log", r"\max": "max", r"\min": "min", r"\underbrace": "⏟",
} | dict.fromkeys(
    (r"\text", r"\mathrm", r"\frac", r"\tfrac", r"\left", r"\right", r"\begin", r"\end", r"\quad", r"\qquad",
     r"\,", r"\;", "\\ ", "\\\\")
)  # fmt: skip
ELEMENTS = {r"\frac": "mfrac", r"\tfrac": "mfrac", r"\underbrace": "munder", r"\begin": "mtable"}
MATHML = "{http://www.w3.org/1998/Math/MathML}"


def formulas():
    found = set()
    for path in (*DOCS.glob("lessons/*.py"), *DOCS.glob("*.md"), *DOCS.glob("zh/*.md")):
        text = re.sub(r"^# ?", "", path.read_text(), flags=re.MULTILINE) if path.suffix == ".py" else path.read_text()
        if path.suffix == ".py":
            text = "\n".join(re.findall(r"(?s)%% \[markdown\].*?\n(.*?)(?=\n%%|\Z)", text))
        text = re.sub(r"(?s)```.*?```|`[^`\n]+`|^ {4,}.*?$", "", text, flags=re.MULTILINE)
        found |= {(tex.strip(), True) for tex in re.findall(r"(?s)\$\$(.+?)\$\$", text)}
        text = re.sub(r"(?s)\$\$.+?\$\$", "", text)
        found |= {(" ".join(tex.split()), False) for tex in re.findall(r"\$([^$]+)\$", text)}
    return sorted(found)


def parsed(tex, block):
    html = katex.render(tex, block=block)
    return ET.fromstring(re.search(r"<math.*?</math>", html, re.DOTALL)[0]), html


def text_of(element):
    return "".join("".join(part.itertext()) for part in element if part.tag != f"{MATHML}annotation")


@pytest.mark.parametrize(("tex", "block"), formulas())
def test_a_formula_shows_what_it_says(tex, block):
    math, html = parsed(tex, block)
    semantics = math[0]
    assert semantics[-1].text.split() == tex.split()
    shown = text_of(semantics).replace("⋯", "…")  # higher, between sums
    commands = Counter(re.findall(r"\\(?:[A-Za-z]+|.)", tex))
    assert not commands.keys() - SIGNS.keys(), "say in SIGNS what this command puts on the page"
    for command, times in commands.items():
        if SIGNS[command]:
            assert shown.count(SIGNS[command]) >= times, command
        if command in ELEMENTS:
            assert len(semantics.findall(f".//{MATHML}{ELEMENTS[command]}")) >= times, command
    # Letters and digits: all of them, in any order, as scripts may change places.
    bare = re.sub(r"\\(?:begin|end)\{\w+\}", "", tex)
    bare = re.sub(r"\\(?:[A-Za-z]+|.)", lambda m: SIGNS[m[0]] or "", bare)
    wanted, got = (Counter(re.findall(r"[^\W_]", text)) for text in (bare, shown))
    assert got == wanted
    assert 'class="katex-html"' in html


def test_half_a_square():
    """What stood on the first lesson's page as (12/t) squared."""
    math, _ = parsed(r"\tfrac12 t^2", False)
    fraction, power = math.find(f".//{MATHML}mfrac"), math.find(f".//{MATHML}msup")
    assert [part.text for part in fraction] == ["1", "2"]
    assert [part.text for part in power] == ["t", "2"]


def test_a_brace_is_as_wide_as_what_it_holds():
    """And the logarithm is an operator with its space: on the sixth lesson's page it read as logp."""
    math, html = parsed(r"\underbrace{-\sum_k q_k \log p_k}_{\text{cross-entropy}}", True)
    assert math.find(f".//{MATHML}munder/{MATHML}mo[@stretchy='true']").text == "⏟"
    assert all(f"brace-{part}" in html for part in ("left", "center", "right"))
    assert re.search(r'class="mop">lo<span [^>]*>g</span></span><span class="mspace"', html)


def test_what_is_no_formula_is_refused():
    with pytest.raises(katex.FormulaError, match="Undefined control sequence"):
        katex.render(r"\nosuch")
