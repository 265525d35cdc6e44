"""The built site in a real browser: accessible, no wider than a phone, light enough, and searched in Chinese."""

import os
import re
from pathlib import Path

import browser
import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ["JAXCNN_SITE"])
PAGES = sorted(
    page.relative_to(SITE) for page in SITE.rglob("*.html") if not page.relative_to(SITE).parts[0].startswith("_")
)
PAGES = [page for page in PAGES if "_static" not in page.parts and "_downloads" not in page.parts]
ALL = pytest.mark.parametrize("page", PAGES, ids=str)
OF_EACH_KIND = [
    "index.html",
    "lessons/6_lenet_on_soft_labels.html",
    "reference/pooling.html",
    "zh/index.html",
    "zh/sizes.html",
]
TERMS = [
    "偏置", "震荡", "池化", "汇聚", "互相关", "卷积核", "步幅", "填充", "空洞", "感受野", "通道", "转置卷积",
    "上游梯度", "学习率", "曲率", "交叉熵", "软标签", "平移等变", "逐通道", "最大汇聚的梯度",
]  # fmt: skip
MOST = 900_000  # bytes
# The formulas' spans are hidden from readers, who are given the MathML next to them.
RULES = """axe.run({exclude: [['.katex-html']]}, {resultTypes: ['violations']}).then(found => found.violations
  .filter(rule => ['serious', 'critical'].includes(rule.impact))
  .map(rule => [rule.id, rule.nodes[0].html.slice(0, 200), rule.nodes[0].failureSummary]))"""

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="needs a browser: chromium or google-chrome")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser.browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


def awaited(tab, expression):
    options = {"awaitPromise": True, "returnByValue": True}
    return tab.send("Runtime.evaluate", expression=expression, **options)["result"]["value"]


@pytest.fixture(scope="module")
def axe():
    return (ROOT / "docs" / "node_modules" / "axe-core" / "axe.min.js").read_text()


@ALL
def test_on_a_phone(tab, axe, page):
    """No serious finding of axe, and nothing reaches beyond the side."""
    tab.open(SITE / page, width=390)
    tab.ask(axe)
    assert awaited(tab, RULES) == []
    assert tab.ask("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("page", OF_EACH_KIND)
def test_in_the_dark(tab, axe, page):
    tab.open(SITE / page, width=1280, theme="dark")
    tab.ask(axe)
    assert awaited(tab, RULES) == []


@ALL
def test_no_page_is_heavy(page):
    """The page and its pictures; style sheets, fonts and scripts are the same for all, and are loaded once."""
    text = (SITE / page).read_text()
    pictures = {(SITE / page).parent / name for name in re.findall(r'<img[^>]* src="([^":]+)"', text)}
    assert len(text.encode()) + sum(picture.stat().st_size for picture in pictures) <= MOST


@ALL
def test_every_picture_says_what_it_shows(page):
    for alt in re.findall(r'<img[^>]* alt="([^"]*)"', (SITE / page).read_text()):
        assert len(alt) > 8
        assert not re.fullmatch(r"\S+\.(svg|png)", alt)


@ALL
def test_a_page_says_its_language_and_nothing_comes_from_elsewhere(page):
    text = (SITE / page).read_text()
    assert re.search(r'<html[^>]* lang="(zh-CN|en)"', text)[1] == ("zh-CN" if page.parts[0] == "zh" else "en")
    assert not re.search(
        r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//|<link[^>]* rel="stylesheet"[^>]* href="(?:https?:)?//', text
    )
    assert '<meta name="description"' in text


@pytest.mark.parametrize("term", TERMS)
def test_chinese_is_found(tab, term):
    tab.open(SITE / "zh" / "search.html", width=1280)
    assert tab.ask(f"Search._performSearch(...Search._parseQuery({term!r})).length") > 0


def test_what_no_page_says_is_not_found(tab):
    tab.open(SITE / "zh" / "search.html", width=1280)
    assert tab.ask("Search._performSearch(...Search._parseQuery('鲸鱼')).length") == 0


def test_the_two_questions_are_one_click_from_the_chinese_home():
    home = (SITE / "zh" / "index.html").read_text()
    for lesson, heading in (("3_channels", "一个偏置管什么？"), ("6_lenet_on_soft_labels", "第二个谜：跳个不停")):
        link = re.search(rf'href="(lessons/{lesson}\.html)#([^"]+)"', home)
        page = (SITE / "zh" / link[1]).read_text()
        assert re.search(rf'id="{link[2]}"(?:(?!<section).)*?<h2>{heading}', page, re.DOTALL)


@pytest.mark.parametrize("page", ["index", "lessons", "sizes", "starting_text", "lessons/3_channels"])
def test_twins_point_to_each_other_and_neighbours_keep_the_language(page):
    up = "../" * page.count("/")
    here, there = (SITE / f"{page}.html").read_text(), (SITE / "zh" / f"{page}.html").read_text()
    assert f'href="{up}zh/{page}.html">中文</a>' in here
    assert f'href="{up}../{page}.html">English</a>' in there
    for neighbour in re.findall(r'class="(?:left-prev|right-next)"\s+href="([^"]+)"', there):
        assert (SITE / "zh" / f"{page}.html").parent.joinpath(neighbour).resolve().is_relative_to(SITE / "zh")
