"""Escapes texts for the formats of a report: csv, Markdown, LaTeX, figures and the page.

Labels, errors, versions and messages may come from someone else's folder. They are escaped where
they leave the program, and nowhere else: in `results.parquet` a text is unchanged. For terminals
see `landscape.errors.printable`.
"""

import functools
from typing import Any

import pandas as pd
from markupsafe import Markup

from landscape.errors import printable
from landscape.report import words

# A spreadsheet computes a cell that begins with one of these, and some do so for the wide forms.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
# Marks a cell as text. Also put before itself, so that removing one restores the text.
_TEXT_MARK = "'"
_MARKDOWN = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_[]|~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "{}_&%$#"}
    | {mark: f"{{{mark}}}" for mark in "[]*"}  # after `\\` these are its arguments
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "→": r"$\rightarrow$",
        words.MINUS: r"$-$",
        words.MISSING: "--",
        "∞": r"$\infty$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "²": r"\textsuperscript{2}",
        "λ": r"$\lambda$",
        "θ": r"$\theta$",
        "·": r"$\cdot$",
        "±": r"$\pm$",
        words.TIMES: r"$\times$",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)
_SPACES = str.maketrans("\n\t", "  ")


def single_line(text: str) -> str:
    """Returns the text without control characters; line breaks and tabs become spaces."""
    return printable(text.replace("\r", "\n")).translate(_SPACES)


def csv(table: pd.DataFrame) -> str:
    """Returns a table as csv in which no text is a formula to a spreadsheet; numbers are unchanged.

    A text that begins with `=`, `+`, `-`, `@` or `'` gets a `'` in front, as spreadsheets mark
    texts; `removeprefix("'")` restores it.
    """
    cells = table.copy()
    cells.columns = [csv_cell(name) for name in table.columns]
    for position, (_, column) in enumerate(table.items()):
        if not pd.api.types.is_numeric_dtype(column):
            cells.isetitem(position, column.map(csv_cell))
    return cells.to_csv(index=False)


def csv_cell(value: Any) -> Any:
    """Returns a value as a cell of csv; anything but a text is unchanged."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return _TEXT_MARK + text if text.lstrip().startswith((*_FORMULA, _TEXT_MARK)) else text


def markdown(text: str) -> str:
    """Returns a text for Markdown on one line, without markup, HTML or links."""
    text = single_line(text).translate(_MARKDOWN)
    return text.replace("://", "\\://").replace("www.", "www\\.")  # these alone make a link


def latex(text: str) -> str:
    """Returns a text for LaTeX on one line; symbols of the tables become commands."""
    return single_line(text).translate(_LATEX)


def figure_text(text: str) -> str:
    """Returns a text for a figure on one line, in which matplotlib finds no mathematics.

    Characters that the fonts of figures lack, as of Chinese, become squares; tables keep them.
    """
    line = single_line(text)
    if not line.isascii():
        line = "".join(c if ord(c) in _drawable() else "\N{WHITE SQUARE}" for c in line)
    return line.replace("$", r"\$")


@functools.cache
def _drawable() -> frozenset[int]:
    """Returns the code points of both fonts of figures, which come with matplotlib."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [FontProperties(family="DejaVu Sans", weight=weight) for weight in ("normal", "bold")]
    maps = [get_font(findfont(font)).get_charmap() for font in fonts]
    return frozenset(maps[0]).intersection(*maps[1:])


def page_value(value: Any) -> Any:
    """Returns a value of the page's template without control characters; markup is unchanged."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
