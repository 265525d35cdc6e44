"""The playground shows jaxcnn's numbers, forwards and backwards, in both languages, by the keyboard, on a phone."""

import math
import re
import tempfile
from pathlib import Path

import browser
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn as jc

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "jaxcnn" / "train" / "report" / "windows.js", ROOT / "docs" / "_static" / "playground.js"
LANGUAGES = ("en", "zh")
PHONE = 390
SLIDERS = ("size", "window", "stride", "padding", "dilation", "outputPadding")
COPIED = ["reflect", "symmetric", "replicate", "circular"]
MODES = {
    "correlation": ["constant", *COPIED],
    "max": ["nothing", "constant", *COPIED],
    "mean": ["constant", "nothing", *COPIED],
}
OPERATIONS = ["correlation", "transposed", "max", "mean"]

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="needs a browser: chromium or google-chrome")


def setting(operation, size, window, stride=1, padding=0, mode=None, dilation=1, at=(0, 0), *, ceil=False, whole=False,
            output_padding=0):  # fmt: skip
    mode = mode or MODES.get(operation, [""])[0]
    return {"operation": operation, "size": size, "window": window, "stride": stride, "padding": padding, "mode": mode,
            "dilation": dilation, "outputPadding": output_padding, "ceil": ceil, "whole": whole, "at": at}  # fmt: skip


SETTINGS = [
    setting("correlation", 5, 3),
    setting("correlation", 5, 3, padding=1, at=(4, 0)),
    setting("correlation", 5, 3, padding=1, at=(2, 3), whole=True),
    setting("correlation", 6, 2, 2, at=(1, 2)),
    setting("correlation", 7, 3, 3, 2, dilation=2, at=(1, 0)),
    setting("correlation", 4, 3, 1, 3, "reflect", at=(0, 5)),
    setting("correlation", 3, 2, 2, 3, "symmetric", 3, at=(2, 2)),
    setting("correlation", 5, 4, 2, 2, "replicate", at=(0, 1), whole=True),
    setting("correlation", 6, 3, 4, 1, "circular", at=(1, 1)),
    setting("correlation", 1, 3, 1, 3, "reflect", at=(2, 2)),
    setting("correlation", 8, 1, 4, at=(1, 1)),
    setting("transposed", 3, 2, at=(1, 1)),
    setting("transposed", 3, 3, 2, at=(2, 4)),
    setting("transposed", 3, 3, 2, 1, output_padding=1, at=(5, 5), whole=True),
    setting("transposed", 2, 2, 3, dilation=2, at=(1, 2)),
    setting("transposed", 4, 4, 2, 3, dilation=3, output_padding=2, at=(3, 6), whole=True),
    setting("max", 4, 2, 2, at=(1, 1)),
    setting("max", 4, 2, 2, at=(0, 1), whole=True),
    setting("max", 5, 3, 2, 2, at=(1, 1)),
    setting("max", 5, 2, 2, 1, "constant", at=(0, 0)),
    setting("max", 5, 2, 2, ceil=True, at=(2, 2)),
    setting("max", 6, 3, 2, 1, "reflect", 2, at=(1, 0), whole=True),
    setting("max", 6, 3, 2, 1, "constant", ceil=True, at=(3, 3), whole=True),
    setting("mean", 4, 2, 2, at=(1, 0)),
    setting("mean", 3, 2, 1, 1, at=(0, 0), whole=True),
    setting("mean", 3, 2, 1, 1, "nothing", at=(0, 3), whole=True),
    setting("mean", 6, 3, 4, 2, "nothing", 2, ceil=True, at=(1, 1), whole=True),
    setting("mean", 5, 4, 3, 3, "circular", ceil=True, at=(2, 0), whole=True),
]


# What jaxcnn says


def layer(s):
    """The setting as a function of the map and the kernel."""
    options = {name: s[name] for name in ("stride", "padding", "dilation")}
    if s["operation"] == "correlation":
        return lambda x, k: jc.corr2d(x, k, padding_mode=s["mode"], **options)
    if s["operation"] == "transposed":
        more = options | {"output_padding": s["outputPadding"]}
        return lambda x, k: jc.conv_transpose2d(x[None], k[None, None], **more)[0]
    given = {"padding_mode": s["mode"]} if s["mode"] in COPIED else {}
    if s["operation"] == "max" and s["mode"] == "constant":
        given = {"fill": 0}
    if s["operation"] == "mean" and s["mode"] == "nothing":
        given = {"count_include_pad": False}
    return lambda x, _: jc.pool2d(x, s["window"], s["operation"], ceil_mode=s["ceil"], **given, **options)


def forward_and_back(s, x, k):
    y, back = jax.vjp(layer(s), x, k)
    cotangent = jnp.ones_like(y) if s["whole"] else jnp.zeros_like(y).at[s["at"]].set(1)
    seen = {"Y": y, "total": jnp.sum(cotangent)} | dict(zip(("dX", "dK"), back(cotangent), strict=True))
    if s["operation"] == "max" and s["mode"] == "nothing" and s["padding"] < s["window"]:
        options = {name: s[name] for name in ("stride", "padding", "dilation")}
        seen["winners"] = jc.max_pool_with_indices(x, (s["window"],) * 2, ceil_mode=s["ceil"], **options)[1]
    return seen


# What the page shows

VISIT = Path(__file__).with_name("playground_visit.js").read_text()


def walk(page, s, edits):
    """Go through both playgrounds by Tab and set each as `s` says; `edits` are typed into X."""
    for language in LANGUAGES:
        while not page.ask(f"stops('{language}')")[0][2]:
            page.press("Tab")
        (_, value, _), *_ = page.ask(f"stops('{language}')")
        page.press(*steps(OPERATIONS, value, s["operation"], "ArrowUp", "ArrowDown"))
        now = page.ask(f"stops('{language}')")
        if value != s["operation"]:
            at_first = {name: value for name, value, _ in now}
            tiles = s["operation"] in ("max", "mean")
            assert at_first["stride"] == (at_first["window"] if tiles else "1")
        for name, value, _ in now[1:]:
            page.type("Tab", *keys_for(s, name, value, edits))
        page.press()


def steps(choices, value, wanted, less, more):
    """The keys that lead from one choice to another."""
    by = choices.index(wanted) - choices.index(value)
    return [more if by > 0 else less] * abs(by)


def keys_for(s, name, value, edits):
    """What to press where the focus is on a control or a map."""
    if name in SLIDERS:
        if name == "outputPadding":  # which may have changed with the stride
            return ["Home", *["ArrowRight"] * s[name]]
        return steps(range(9), int(value), s[name], "ArrowLeft", "ArrowRight")
    if name == "mode":
        return steps(MODES[s["operation"]], value, s["mode"], "ArrowUp", "ArrowDown")
    if name in ("ceil", "whole"):
        return [" "] if value != str(s[name]).lower() else []
    if name == "X":
        return ["Home", "PageUp", *edits] if edits else []
    if name == "Y":
        return ["Home", "PageUp", *["ArrowDown"] * s["at"][0], *["ArrowRight"] * s["at"][1]]
    return []


def page_of(folder, boxes):
    scripts = "".join(f"<script>{path.read_text()}</script>" for path in SCRIPTS)
    style = (ROOT / "docs" / "_static" / "playground.css").read_text()
    file = folder / "playground.html"
    file.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>p</title><style>{style}</style>{boxes}{scripts}'
    )
    return file


EDITS = {  # typed into X at these settings, from its upper left corner on
    3: ["7", "Enter"],
    12: [*"-1.25", "Enter", "ArrowRight", "Delete"],
    18: ["9", "Enter", "ArrowDown", "9", "Enter"],
}


@pytest.fixture(scope="module")
def page():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser.browser(folder) as page:
        boxes = "".join(f'<div class="playground" lang="{language}"></div>' for language in LANGUAGES)
        page.open(page_of(Path(folder), boxes), width=PHONE)
        page.ask(VISIT)
        yield page


@pytest.fixture(scope="module")
def shown(page):
    """For each setting what each language shows."""
    seen = []
    for number, s in enumerate(SETTINGS):
        walk(page, s, EDITS.get(number, []))
        seen.append(page.ask("shown()"))
    return seen


def number(text):
    return float(text.replace("\N{MINUS SIGN}", "-").replace("∞", "inf"))


def numbers(board):
    return np.array([[number(text) for text in row] for row in board], np.float32)


def map_of(s, seen):
    """The cells of X without its padding."""
    low = 0 if s["operation"] == "transposed" else s["padding"]
    return numbers([row[low : low + s["size"]] for row in seen["boards"]["X"][low : low + s["size"]]])


@pytest.fixture(scope="module")
def expected(shown):
    """What jaxcnn makes of the maps and kernels that the page shows: all in one program."""
    inputs = []
    for s, (seen, _) in zip(SETTINGS, shown, strict=True):
        inputs.append((map_of(s, seen), numbers(seen["boards"].get("K", [["0"]]))))
    every = jax.jit(lambda inputs: [forward_and_back(s, *each) for s, each in zip(SETTINGS, inputs, strict=True)])
    return jax.tree.map(np.asarray, every(inputs))


def assert_shown(board, wanted):
    """To the two digits behind the point that are shown."""
    np.testing.assert_allclose(numbers(board), wanted, atol=0.0051)


@pytest.mark.parametrize("index", range(len(SETTINGS)))
def test_every_number_is_jaxcnns(shown, expected, index):
    s, wanted = SETTINGS[index], expected[index]
    for seen in shown[index]:
        boards = seen["boards"]
        for name in ("Y", "dX", "dK"):
            assert (name in boards) == (name != "dK" or s["operation"] in ("correlation", "transposed"))
            if name in boards:
                assert_shown(boards[name], wanted[name])
        assert_padding(s, seen)
        assert_rule(s, seen["rule"], wanted["Y"].shape)
        assert_sentence(s, seen, wanted)
        lost = re.search(r"(?:; |；有 )(\S+) (?:is lost|落在)", seen["captions"]["dX"])
        if s["operation"] in ("max", "mean"):
            assert (number(lost[1]) if lost else 0) == pytest.approx(wanted["total"] - wanted["dX"].sum(), abs=0.0051)
        assert seen["chosen"] == [",".join(map(str, s["at"]))]
        assert seen["silent"] == 0
        assert seen["width"] == [PHONE, PHONE]
    en, zh = shown[index]
    assert en["boards"] == zh["boards"]


def assert_padding(s, seen):
    """Cells around the map: those of numpy.pad, or none; what ceil mode reaches beyond them is none either."""
    if s["operation"] == "transposed":
        return
    board, p = seen["boards"]["X"], s["padding"]
    side = s["size"] + 2 * p
    modes = {"replicate": "edge", "circular": "wrap", "nothing": "constant"}
    cells = np.pad(map_of(s, seen), p, mode=modes.get(s["mode"], s["mode"]))
    outside = np.pad(np.zeros((s["size"],) * 2), p, constant_values=1)
    for (r, c), text in np.ndenumerate(np.array(board)):
        if r >= side or c >= side or (outside[r, c] and s["mode"] == "nothing"):
            assert text == ""
        else:
            assert number(text) == pytest.approx(cells[r, c])


def assert_rule(s, text, shape):
    """The numbers in it are the setting's, and what it comes to is the size."""
    left, right = re.match(r"(.+) = (\d+)", text).groups()
    assert (int(right),) * 2 == shape
    python = left.replace("·", "*").replace("\N{MINUS SIGN}", "-")
    python = re.sub(r"⌊(.+) / (\d+)⌋", r"(\1 // \2)", re.sub(r"⌈(.+) / (\d+)⌉", r"-(-(\1) // \2)", python))
    assert eval(python) == int(right)
    if s["operation"] == "transposed":
        return
    geometry = {name: s[name] for name in ("stride", "padding", "dilation")}
    assert int(right) == jc.output_size(s["size"], s["window"], ceil_mode=s["ceil"], **geometry)


def assert_sentence(s, seen, wanted):
    name, _, rest = seen["answer"].partition(" = ")
    assert name == f"Y[{s['at'][0]}, {s['at'][1]}]"
    made = wanted["Y"][s["at"]]
    found = re.match(r"(?:(.+?) = )?(\S+?)(?:[,:，：].*)?$", rest)
    terms, result = found.groups()
    assert number(result) == pytest.approx(made, abs=0.0051)
    if terms:
        python = terms.replace("\N{MINUS SIGN}", "-").replace("·", "*").replace("max(", "max(-math.inf, ")
        assert eval(python, {"math": math, "max": max}) == pytest.approx(made, abs=1e-4)
    if "winners" in wanted:
        row, column = divmod(int(wanted["winners"][s["at"]]), s["size"])
        assert f"X[{row}, {column}]" in rest
        assert seen["winner"] == [f"{row + s['padding']},{column + s['padding']}"]


def test_numbers_are_typed_into_the_map(shown):
    assert [map_of(SETTINGS[3], seen)[0, 0] for seen in shown[3]] == [7, 7]
    assert [map_of(SETTINGS[12], seen)[0, :2].tolist() for seen in shown[12]] == [[-1.25, 0]] * 2
    assert [map_of(SETTINGS[18], seen)[:2, 0].tolist() for seen in shown[18]] == [[9, 9]] * 2


def english(page):
    return page.ask("shown()")[0]


def test_steps_go_over_the_output_in_its_order_and_play_goes_on_by_itself(page):
    walk(page, setting("max", 4, 2, 2, at=(0, 1)), [])
    page.ask("document.querySelector('[name=step]').focus()")
    page.press("Enter")
    assert english(page)["chosen"] == ["1,0"]
    page.press(" ", " ")
    assert english(page)["chosen"] == ["0,0"]
    page.ask("document.querySelector('[name=back]').focus()")
    page.press("Enter")
    assert english(page)["chosen"] == ["1,1"]
    page.ask("document.querySelector('[name=play]').focus()")
    page.press("Enter")
    assert page.ask("document.querySelector('output').ariaLive") == "off"
    page.wait_until("shown()[0].chosen[0] === '0,0'", seconds=5)
    page.press("Enter")
    assert page.ask("document.querySelector('output').ariaLive") == "polite"


def test_windows_are_dragged_outputs_chosen_and_numbers_changed_by_a_pointer(page):
    walk(page, setting("correlation", 6, 2, 2, at=(0, 0)), [])
    page.drag(*page.ask("places('X', '1,1', '3,5')"))
    assert english(page)["chosen"] == ["1,2"]
    page.click(*page.ask("places('Y', '2,0')"))
    assert english(page)["chosen"] == ["2,0"]
    for _ in range(2):
        page.click(*page.ask("places('K', '0,1')"))
    page.press(*"-3", "Enter")
    assert english(page)["boards"]["K"][0][1] == "\N{MINUS SIGN}3"


def test_settings_that_make_no_map_are_refused_with_numbers(page):
    walk(page, setting("correlation", 5, 3, dilation=2), [])
    for language in LANGUAGES:
        page.ask(f"document.querySelector('[lang={language}] [name=window]').focus()")
        page.press("ArrowRight")
    for seen, words in zip(
        page.ask("shown()"), ("spans 7 cells.* has 5: pad more", "窗口跨 7 格.*只有 5 格"), strict=True
    ):
        assert re.search(words, seen["answer"])
        assert seen["boards"] == {}
    page.press("ArrowLeft")
    assert page.ask("shown()")[1]["boards"]["Y"]


def test_the_playgrounds_of_the_lessons_begin_as_they_say(page, tmp_path):
    """The last test, for it leaves the page; none of them is wider than a phone."""
    lessons = {
        number: path.read_text()
        for number in (1, 2, 4, 5)
        for path in (ROOT / "docs" / "lessons").glob(f"{number}_*.py")
    }
    boxes = {}
    for number, text in lessons.items():
        en, zh = (
            found.replace("\n# ", " ") for found in re.findall(r'<div class="playground".*?</div>', text, re.DOTALL)
        )
        assert en == zh
        boxes[number] = en
    page.open(page_of(tmp_path, "".join(boxes.values())), width=PHONE)
    page.ask(VISIT)
    first, second, fourth, fifth = page.ask("shown()")
    assert first["boards"]["Y"] == [["19", "25"], ["37", "43"]]
    assert "dX" not in first["boards"]
    assert second["rule"] == "⌊(7 + 2 · 1 − ((3 − 1) · 1 + 1)) / 2⌋ + 1 = 4"
    assert fourth["boards"]["Y"] == [["0", "0"], ["0", "\N{MINUS SIGN}5"]]
    assert "lost on the padding" in fourth["captions"]["dX"]
    assert fifth["boards"]["dK"] == [["0", "1"], ["3", "4"]]
    assert first["width"] == [PHONE, PHONE]
