"""The documentation site: `sphinx-build -W --keep-going -n -b html docs docs/_build/html`, without a network."""

import inspect
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]

import program_help  # noqa: E402
import size_pictures  # noqa: E402

import _lessons  # noqa: E402  found by the path above, as are the two before it
import jaxcnn  # noqa: E402

# What the pages show is made before Sphinx reads them.
_lessons.build(DOCS / "lessons", DOCS / "lessons" / "_built")
program_help.write(DOCS / "_built")
size_pictures.draw(DOCS / "_built")

project = "jaxcnn"
author = "the authors of jaxcnn"
copyright = author
version = release = jaxcnn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "docstrings", "mathml", "playground"]
exclude_patterns = ["_build", "_built", "zh", "**/.ipynb_checkpoints"]
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # shapes and dtypes stand in the docstrings
autodoc_member_order = "bysource"
add_module_names = add_function_parentheses = False
docstring_links = {name: f"jaxcnn.{name}" for name in jaxcnn.__all__ if inspect.isfunction(getattr(jaxcnn, name))}

html_math_renderer = "mathml"
html_theme = "sphinx_book_theme"
html_title = f"jaxcnn {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "use_download_button": False,
    "navbar_persistent": [],
}


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _without_last_blank_line)


def _without_last_blank_line(app: Any, document: nodes.document) -> None:
    """Examples end in a blank line, without which doctest would take the fence after it for output."""
    for block in document.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip("\n")
        block.children = [nodes.Text(block.rawsource)]
