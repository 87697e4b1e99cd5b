"""Tables and paragraphs as HTML that inherits the colors and fonts of a notebook; no scripts."""

from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd

from landscape.errors import printable

# Notebooks align cells to the right, which is for numbers. Only the last column of prose may break
# words, such as long lines of source code: the others are narrow.
_LEFT = "text-align: left; vertical-align: top"
_LAST = f"{_LEFT}; overflow-wrap: anywhere"


def table(texts: pd.DataFrame, *, prose: bool = False) -> str:
    """Returns a table of texts; line breaks in cells are kept, cells of prose begin at the left."""
    last = len(texts.columns) - 1
    styles = [f' style="{_LEFT if i < last else _LAST}"' if prose else "" for i in range(last + 1)]
    head = _row("th", texts, styles)
    body = "".join(_row("td", row, styles) for row in texts.to_numpy())
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, texts: Iterable[object], styles: Sequence[str]) -> str:
    cells = zip(texts, styles, strict=True)
    return f"<tr>{''.join(f'<{tag}{style}>{cell(text)}</{tag}>' for text, style in cells)}</tr>"


def paragraph(text: str) -> str:
    """Returns a paragraph of a text without markup."""
    return f"<p>{cell(text)}</p>"


def heading(text: str) -> str:
    """Returns a bold paragraph of a text without markup."""
    return f"<p><strong>{cell(text)}</strong></p>"


def cell(text: object) -> str:
    """Returns a text without markup; line breaks are kept."""
    return escape(printable(str(text))).replace("\n", "<br>")
