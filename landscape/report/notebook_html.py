"""Tables and paragraphs as HTML that inherits the colors and fonts of a notebook; no scripts."""

from html import escape

import pandas as pd

from landscape.errors import printable

# Notebooks align cells to the right, which is for numbers.
_LEFT = ' style="text-align: left; vertical-align: top; overflow-wrap: anywhere"'


def table(texts: pd.DataFrame, *, prose: bool = False) -> str:
    """Returns a table of texts; line breaks in cells are kept, cells of prose begin at the left."""
    style = _LEFT if prose else ""
    head = "".join(f"<th{style}>{cell(name)}</th>" for name in texts)
    rows = ("".join(f"<td{style}>{cell(text)}</td>" for text in row) for row in texts.to_numpy())
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def paragraph(text: str) -> str:
    """Returns a paragraph of a text without markup."""
    return f"<p>{cell(text)}</p>"


def heading(text: str) -> str:
    """Returns a bold paragraph of a text without markup."""
    return f"<p><strong>{cell(text)}</strong></p>"


def cell(text: object) -> str:
    """Returns a text without markup; line breaks are kept."""
    return escape(printable(str(text))).replace("\n", "<br>")
