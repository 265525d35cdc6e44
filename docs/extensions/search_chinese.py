"""Search in Chinese, which has no spaces between words: every two neighbouring characters are a term.

So whatever a page says is found, without a dictionary that would have to know the field's words.
"""

import re
from itertools import pairwise
from typing import Any

from sphinx.search.en import SearchEnglish

CHINESE = r"\u4e00-\u9fff"


class SearchChinese(SearchEnglish):
    """Latin words as in English; a run of Chinese as its characters and its pairs of characters."""

    lang = "zh"
    language_name = "English"  # Sphinx takes the stemmer of that name, for the Latin words
    # As `split`, but of a run of several characters only the pairs: a page that has them all is found.
    js_splitter_code = f"""
var splitQuery = (query) =>
  (query.match(/[{CHINESE}]+|(?:(?![{CHINESE}])[\\p{{Letter}}\\p{{Number}}_])+/gu) || []).flatMap((run) =>
    /[{CHINESE}]/.test(run) && run.length > 1
      ? Array.from({{ length: run.length - 1 }}, (_, at) => run.slice(at, at + 2))
      : [run]);
"""

    def split(self, text: str) -> list[str]:
        """Terms of a text.

        >>> SearchChinese({}).split("ReLU 与偏置")
        ['ReLU', '与', '偏', '置', '与偏', '偏置']
        """
        terms = re.findall(rf"(?:(?![{CHINESE}])\w)+", text)
        for run in re.findall(rf"[{CHINESE}]+", text):
            terms += [*run, *map("".join, pairwise(run))]
        return terms


def setup(app: Any) -> dict[str, Any]:
    app.add_search_language(SearchChinese)
    return {"parallel_read_safe": True}
