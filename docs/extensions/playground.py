"""What moves on the site, each one line of HTML on any page, in a lesson too, where it leaves no trace in a notebook:

    <div class="playground" data-start="operation=max stride=2"></div>
    <div class="animation" data-picture="stride"></div>

The first is filled by playground.js, the second becomes a picture of docs/pictures with its alternative text.
"""

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
ALTERNATIVE = {
    "moving_window": {
        "en": "A window of 3 by 3 moves over a map of 5 by 5 step by step; beside the kernel that finds vertical edges, "
        "an output of 3 by 3 fills with one number a step",
        "zh": "3×3 的窗口在 5×5 的特征图上逐格移动；旁边是找竖直边缘的卷积核，3×3 的输出每一步填上一个数",
    },
    "padding": {
        "en": "A map of 4 by 4 with a dashed ring of zeros around it; a window of 3 by 3 takes 16 places, its middle on "
        "each cell of the map once, and the output is 4 by 4 again",
        "zh": "4×4 的特征图外面围一圈虚线的零；3×3 的窗口走过 16 个位置，中心依次落在图的每一格上，输出仍是 4×4",
    },
    "stride": {
        "en": "On a map of 5 by 5 a window of 3 by 3 moves two cells at a step: four places, an output of 2 by 2",
        "zh": "5×5 的特征图上，3×3 的窗口每步移动两格：一共四个位置，输出是 2×2",
    },
    "dilation": {
        "en": "On a map of 7 by 7 the nine cells that a window sees stand two apart, so that it spans 5 by 5; it has "
        "nine places, and the output is 3 by 3",
        "zh": "7×7 的特征图上，窗口看到的九格彼此隔开一格，跨度是 5×5；一共九个位置，输出是 3×3",
    },
    "transposition": {
        "en": "Each of the four cells of a map of 2 by 2 lays the kernel of 3 by 3, times its number, down on an output of "
        "5 by 5, two cells apart; where two overlap, the numbers are added",
        "zh": "2×2 的特征图，四格各把 3×3 的卷积核乘上自己的数，铺到 5×5 的输出上，彼此相隔两格；重叠的地方相加",
    },
    "ceil_mode": {
        "en": "Max pooling of a map of 5 by 5 with windows of 2 by 2 at stride 2: the last window of each row and column "
        "reaches past the end, onto dashed cells that hold nothing, and the output is 3 by 3",
        "zh": "5×5 的特征图做最大汇聚，窗口 2×2，步幅 2：每行每列最后一个窗口伸出末端，虚线格里什么也没有；输出是 3×3",
    },
}  # fmt: skip


class Animations(SphinxTransform):
    """Before Sphinx collects the images of a page."""

    default_priority = 210

    def apply(self, **kwargs: Any) -> None:
        language = "zh" if (self.config.language or "en").startswith("zh") else "en"
        for line in list(self.document.findall(nodes.raw)):
            if not (found := ANIMATION.fullmatch(line.astext().strip())):
                continue
            if found[1] not in ALTERNATIVE:
                raise ExtensionError(f"{self.env.docname}: no animation {found[1]!r}; there are {', '.join(ALTERNATIVE)}")
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
