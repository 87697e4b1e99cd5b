"""Writes the tables of the docs that come from docstrings: `python docs/generate.py`.

A page holds each of them between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
from pathlib import Path

from landscape.numerics.geometry import definitions

TABLES = {
    "numbers of lines": lambda: definitions.markdown_table(definitions.LINE_NUMBERS),
    "numbers of planes": lambda: definitions.markdown_table(definitions.PLANE_NUMBERS),
    "numbers of paths": lambda: definitions.markdown_table(definitions.PATH_NUMBERS),
}
PAGES = sorted(Path(__file__).parent.glob("*.md"))


def updated(page: str) -> str:
    """Returns the text of a page with its tables regenerated."""
    return re.sub(
        r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)",
        lambda match: match[1] + TABLES[match[2]]() + match[3],
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(updated(path.read_text()))
