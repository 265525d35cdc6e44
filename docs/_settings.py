"""The settings that the sites of both languages share, and what differs between them."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchmark_history
import program_help
import size_pictures
from docutils import nodes
from sphinx.errors import ExtensionError

import _lessons
import _publish
import jaxcnn

DOCS = Path(__file__).parent
WORDS = {
    "en": {
        "language": "en",
        "title": f"jaxcnn {jaxcnn.__version__}",
        "description": "Correlation and pooling for JAX, built from one primitive: the sliding window. With eight "
        "lessons that lead from one window to LeNet.",
        "twin": ("中文", "zh-CN", "zh/"),
        "answers": ("Answers", "Show the answers"),
        "code": ("Show the code", "Hide the code"),
    },
    "zh": {
        "language": "zh_CN",
        "title": "jaxcnn 中文站",
        "description": "jaxcnn：JAX 上的互相关与汇聚，一切从滑动的窗口出发。八课讲清卷积神经网络，从一个窗口到 LeNet。",
        "twin": ("English", "en", "../"),
        "answers": ("答案", "展开答案"),
        "code": ("展开代码", "收起代码"),
    },
}


def of(language: str) -> dict[str, Any]:
    """What Sphinx reads from a conf.py; whatever the pages show is made here, before Sphinx reads them."""
    source, words = SOURCES[language], WORDS[language]
    _lessons.build(DOCS / "lessons", DOCS / "lessons" / "_built")
    _publish.publish(DOCS / "lessons" / "_built" / language, language, source)
    size_pictures.draw(source / "_built", language)
    if language == "en":
        program_help.write(source / "_built")
        benchmark_history.write(DOCS / "history", source / "_built")
    return {
        "project": "jaxcnn",
        "author": "the jaxcnn developers",
        "copyright": "the jaxcnn developers",
        "version": jaxcnn.__version__,
        "release": jaxcnn.__version__,
        "language": words["language"],
        "extensions": [
            "myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "docstrings", "katex", "playground",
            "search_chinese",
        ],
        "exclude_patterns": [
            "_build", "_built", "lessons/_built", "lessons/notebooks", "node_modules", "zh", "**/.ipynb_checkpoints",
        ],
        "nb_execution_mode": "off",
        "nb_code_prompt_show": words["code"][0],
        "nb_code_prompt_hide": words["code"][1],
        "myst_enable_extensions": ["attrs_inline", "colon_fence", "dollarmath"],
        "myst_heading_anchors": 3,
        "copybutton_prompt_text": r">>> |\.\.\. |\$ ",
        "copybutton_prompt_is_regexp": True,
        "autodoc_typehints": "none",  # shapes and dtypes stand in the docstrings
        "autodoc_member_order": "bysource",
        "add_module_names": False,
        "add_function_parentheses": False,
        "docstring_links": {
            name: f"jaxcnn.{name}" for name in jaxcnn.__all__ if inspect.isfunction(getattr(jaxcnn, name))
        },
        "html_math_renderer": "katex",
        "html_theme": "sphinx_book_theme",
        "html_title": words["title"],
        "html_favicon": str(DOCS / "_static" / "favicon.svg"),
        "html_static_path": [str(DOCS / "_static")],
        "templates_path": [str(DOCS / "_templates")],
        "html_css_files": ["site.css"],
        "html_js_files": ["site.js"],
        "html_copy_source": False,
        "html_theme_options": {
            "article_header_end": ["twin.html", "article-header-buttons.html"],
            "home_page_in_toc": True,
            "show_toc_level": 2,
            "use_download_button": False,
            "navbar_persistent": [],
        },
    }  # fmt: skip


SOURCES = {"en": DOCS, "zh": DOCS / "zh"}


def connect(app: Any) -> None:
    app.connect("source-read", _join_chinese_lines)
    app.connect("doctree-read", _without_last_blank_line)
    app.connect("doctree-read", _fold_answers)
    app.connect("doctree-read", _let_pictures_scroll)
    app.connect("html-page-context", _describe)


def build_beside(app: Any, source: Path, folder: str) -> None:
    """Build another site at the same time, into a folder of this one."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(app: Any) -> None:
        if app.builder.format == "html":
            flags = ["-W", "--keep-going", "-n", "-q", "-b", "html", "-d", Path(app.doctreedir) / folder]
            command = [sys.executable, "-m", "sphinx", *flags, source, Path(app.outdir) / folder]
            running.append(subprocess.Popen(command))

    def end(app: Any, error: Exception | None) -> None:
        for process in running:
            if process.wait() and error is None:
                raise ExtensionError(f"the site of {source} could not be built; what it says stands above")

    app.connect("builder-inited", begin)
    app.connect("build-finished", end)


def _join_chinese_lines(app: Any, page: str, source: list[str]) -> None:
    if app.config.language.startswith("zh"):
        source[0] = _lessons.LINE_END_IN_CHINESE.sub("", source[0])


def _without_last_blank_line(app: Any, document: nodes.document) -> None:
    """Examples end in a blank line, without which doctest would take the fence after it for output."""
    for block in document.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip("\n")
        block.children = [nodes.Text(block.rawsource)]


def _fold_answers(app: Any, document: nodes.document) -> None:
    """What stands under the heading of the answers opens by a click."""
    for words in WORDS.values():
        heading, invitation = words["answers"]
        for section in document.findall(nodes.section):
            if section[0].astext() == heading:
                opening = f'<details class="answers"><summary>{invitation}</summary>'
                section.insert(1, nodes.raw("", opening, format="html"))
                section.append(nodes.raw("", "</details>", format="html"))


def _let_pictures_scroll(app: Any, document: nodes.document) -> None:
    """On a phone, in a frame of their own."""
    for image in list(document.findall(nodes.image)):
        outside = image.parent if isinstance(image.parent, nodes.paragraph) and len(image.parent) == 1 else image
        if (
            image["uri"].endswith(".svg")
            and "hero" not in image["classes"]
            and isinstance(outside.parent, nodes.section)
        ):
            section = outside.parent
            section[section.index(outside)] = nodes.container("", image, classes=["wide"])


def _describe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """What search machines and previews are told, and the page that says the same in the other language."""
    here = "zh" if app.config.language.startswith("zh") else "en"
    there = "en" if here == "zh" else "zh"
    words = WORDS[here]
    title = context.get("title", words["title"])
    context["metatags"] = context.get("metatags", "") + (
        f'\n<meta name="description" content="{words["description"]}">'
        f'\n<meta property="og:title" content="{title}">'
        f'\n<meta property="og:description" content="{words["description"]}">'
        '\n<meta property="og:type" content="website">'
    )
    name, language, folder = words["twin"]
    # A lesson is one source for both languages; its page there may not be made yet.
    twin = page if (SOURCES[there] / f"{page}.md").exists() or (DOCS / f"{page}.py").exists() else "index"
    up = "../" * page.count("/")
    context["twin"] = {"name": name, "language": language, "href": f"{up}{folder}{twin}.html", "same": twin == page}
    if twin == page:
        context["metatags"] += f'\n<link rel="alternate" hreflang="{language}" href="{context["twin"]["href"]}">'
