"""The documentation site: `sphinx-build -W --keep-going -n -b html docs docs/_build/html`, without a network."""

import inspect
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]

import _lessons  # noqa: E402  found by the path above, as are the next two
import program_help  # noqa: E402
import size_pictures  # noqa: E402

import jaxcnn  # noqa: E402

# What the pages show is made before Sphinx reads them.
_lessons.build(DOCS / "lessons", DOCS / "lessons" / "_built")
program_help.write(DOCS / "_built")
size_pictures.draw(DOCS / "_built")

project = "jaxcnn"
author = "the authors of jaxcnn"
copyright = author
version = release = jaxcnn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "docstrings"]
exclude_patterns = ["_build", "_built", "**/.ipynb_checkpoints"]
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # shapes and dtypes stand in the docstrings
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100
add_module_names = False
docstring_links = {name: "py:func" for name in jaxcnn.__all__ if inspect.isfunction(getattr(jaxcnn, name))}

html_theme = "sphinx_book_theme"
html_title = f"jaxcnn {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"home_page_in_toc": True, "show_toc_level": 2, "use_download_button": False}
