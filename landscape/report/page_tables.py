"""Tables of the page: cells by kind, and columns with their definitions."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup, escape

from landscape.report import escapes, words
from landscape.report.sets import slugs
from landscape.report.tables import ReportTable

# A number, an interval or a share, or several of them; such cells never break.
_NUMBER = re.compile(rf"[<>≤≥]?\s*[\[(]?[{words.MINUS}+-]?(?:\d|∞).*|{words.MISSING}")
# Spaces before a unit, around the sign of a p, and within an interval.
_SPACES_IN_NUMBERS = re.compile(
    r"(?<=\d) (?=%|points?\b|decades\b)|(?<=\bp) (?=[=<] \d)|(?<=\bp [=<]) (?=\d)"
    rf"|(?<=[\d%∞],) (?=[{words.MINUS}\d∞])"
)
_LONGEST_NUMBER = 44
# Where labels may break: within shorter words only on a narrow screen.
_BREAKS = re.compile(r"([_,=/.](?=\S)|[^\s_,=/.-]{24}(?=[^\s_,=/.-]))")
_LONGEST_WORD = 22
# Longer texts get a column wide enough for sentences.
_LONGEST_LABEL = 40
# Tables with more columns do not fit on paper; of long ones it has the first rows, see page.css.
MOST_PRINTED = 12
MOST_PRINTED_ROWS = 30
# A narrow screen shows the rows of tables with at most so many columns as blocks, except of those
# that fit: few columns without sentences.
MOST_STACKED = 6
MOST_NARROW = 4


class PageColumn(NamedTuple):
    """The heading of a column, and what its cells are; without a definition, they are texts."""

    heading: str
    definition: str = ""


class Cell(NamedTuple):
    """A cell as text; `kind` is `number`, `label` or `prose`, and sets how it wraps."""

    text: str
    kind: str


class PageTable(NamedTuple):
    """A table as the page shows it; `total` is the number of rows of its files, named `name`.

    `colors` are those of the losses in its first column; empty if it has none.
    """

    name: str
    title: str
    columns: Sequence[PageColumn]
    rows: Sequence[Sequence[Cell]]
    total: int = 0
    colors: Sequence[str] = ()

    @property
    def wide(self) -> bool:
        """Whether it does not fit on paper."""
        return len(self.columns) > MOST_PRINTED

    @property
    def long(self) -> bool:
        """Whether paper has only its first rows."""
        return len(self.rows) > MOST_PRINTED_ROWS

    @property
    def stacked(self) -> bool:
        """Whether a narrow screen shows each row as a block instead of scrolling sideways."""
        wordy = any(cell.kind == "prose" for row in self.rows for cell in row)
        return len(self.columns) <= MOST_STACKED and (wordy or len(self.columns) > MOST_NARROW)


def page_table(table: ReportTable, omitted: Sequence[str] = ()) -> PageTable:
    """Returns a table of the report for the page, without the columns with the omitted headings."""
    shown = [column for column in table.columns if column.heading not in omitted]
    columns = [PageColumn(column.heading, column.definition) for column in shown]
    texts = table.texts[[column.heading for column in shown]]
    rows = texts.itertuples(index=False, name=None)
    return PageTable(table.name, table.title, columns, cells(rows), len(table.rows))


def text_table(name: str, title: str, texts: pd.DataFrame, total: int) -> PageTable:
    """Returns a table of texts, whose headings explain themselves."""
    rows = texts.itertuples(index=False, name=None)
    return PageTable(name, title, [PageColumn(str(n)) for n in texts], cells(rows), total)


def cells(rows: Iterable[Iterable[object]]) -> list[list[Cell]]:
    """Returns texts as cells."""
    return [[_cell(str(text)) for text in row] for row in rows]


def _cell(text: str) -> Cell:
    if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        return Cell(text, "number")
    return Cell(text, "prose" if len(text) > _LONGEST_LABEL else "label")


def definition_ids(page_tables: Iterable[PageTable]) -> dict[str, str]:
    """Returns the id of each definition; columns of several tables share one."""
    headings = _headings(page_tables)
    names = slugs(list(headings.values()))
    return {text: f"definition-{name}" for text, name in zip(headings, names, strict=True)}


def definitions(page_tables: Iterable[PageTable], ids: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Returns id, heading and text of each definition, by heading.

    A heading with several definitions names the first table of each.
    """
    tables = list(page_tables)
    headings = _headings(tables)
    counts = Counter(headings.values())
    titles = {
        column.definition: table.title for table in reversed(tables) for column in table.columns
    }
    entries = [
        (ids[text], f"{heading} ({titles[text]})" if counts[heading] > 1 else heading, text)
        for text, heading in headings.items()
    ]
    return sorted(entries, key=lambda entry: entry[1].casefold())


def _headings(page_tables: Iterable[PageTable]) -> dict[str, str]:
    """Returns the first heading of each definition."""
    headings: dict[str, str] = {}
    for table in page_tables:
        for column in table.columns:
            if column.definition:
                headings.setdefault(column.definition, column.heading)
    return headings


def unbroken(text: str) -> Markup:
    """Returns a sentence in which numbers, their units and intervals do not break."""
    plain = str(escapes.page_value(text))
    return escape(_SPACES_IN_NUMBERS.sub("\N{NO-BREAK SPACE}", plain))


def commands_marked(text: Markup) -> Markup:
    """Returns an escaped sentence with what is between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(text)))


def breakable(text: str) -> Markup:
    """Returns a label whose words may break after each `_`, `,`, `=`, `/` and `.`.

    Words of up to 22 characters break only on a narrow screen.
    """
    parts = re.split(r"(\s+)", str(escapes.page_value(text)))
    return Markup("").join(map(_breakable_word, parts))


def _breakable_word(word: str) -> Markup:
    mark = '<wbr class="narrow">' if len(word) <= _LONGEST_WORD else "<wbr>"
    pieces = _BREAKS.sub("\\1\N{ZERO WIDTH SPACE}", word).split("\N{ZERO WIDTH SPACE}")
    return Markup(mark).join(pieces)
