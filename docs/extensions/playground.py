"""What moves on the site, each one line of HTML on any page, in a lesson too, where it leaves no trace in a notebook:

    <div class="playground" data-start="operation=max stride=2"></div>
    <div class="animation" data-picture="stride"></div>

The first is filled by playground.js, the second becomes a picture of docs/pictures with its alternative text.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

DOCS = Path(__file__).parent.parent
# The arithmetic, which the report of a training run shares.
WINDOWS = DOCS.parent / "jaxcnn" / "train" / "report" / "windows.js"
ANIMATION = re.compile(r'<div class="animation" data-picture="(\w+)"></div>')
ALTERNATIVE = json.loads((DOCS / "pictures" / "alternative_texts.json").read_text(encoding="utf-8"))


class Animations(SphinxTransform):
    """Before Sphinx collects the images of a page."""

    default_priority = 210

    def apply(self, **kwargs: Any) -> None:
        language = "zh" if (self.config.language or "en").startswith("zh") else "en"
        for line in list(self.document.findall(nodes.raw)):
            if not (found := ANIMATION.fullmatch(line.astext().strip())):
                continue
            if found[1] not in ALTERNATIVE:
                there = ", ".join(ALTERNATIVE)
                raise ExtensionError(f"{self.env.docname}: there is no animation {found[1]!r}, but {there}")
            picture = DOCS / "pictures" / f"{found[1]}.svg"
            uri = "/" + Path(os.path.relpath(picture, self.env.srcdir)).as_posix()  # "/" is the folder of the sources
            # dark-light: the picture turns dark by itself.
            image = nodes.image(uri=uri, alt=ALTERNATIVE[found[1]][language], classes=["dark-light", "animation"])
            line.replace_self(image)


def add_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """For the pages that have a playground, and no others."""
    if 'class="playground"' in context.get("body", ""):
        app.add_css_file("playground.css")
        app.add_js_file("windows.js", loading_method="defer")
        app.add_js_file("playground.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", lambda app, config: config.html_static_path.append(str(WINDOWS)))
    app.add_transform(Animations)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
