"""Tables that fit the terminal: no cell is cut or broken, and no column is left out."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len, chop_cells
from rich.table import Table
from rich.text import Text

from landscape.errors import printable

_GAPS = (2, 1)  # blanks between two columns, and if that lets the whole table fit
_LONGEST_NAME = 32  # columns; longer lines of the first cell of a row are folded


def fitted_tables(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> Iterator[Table]:
    """Yields the table as one or more tables of at most `width` columns, to be printed in order.

    If it is too wide, further tables repeat the first column, which names the rows, and hold the
    columns that did not fit. Headings are wrapped between words; the lines of a cell are not. A
    table is wider than `width` only if its names and one more column are: print it with
    `crop=False`.
    """
    cells = [[printable(cell) for cell in row] for row in (headings, *rows)]
    names, *columns = zip(*cells, strict=True)
    block = [[_folded(name) for name in names]]
    whole = [*block, *map(list, columns)]
    gap = next((gap for gap in _GAPS if _total_width(whole, gap) <= width), _GAPS[0])
    for column in columns:
        if len(block) > 1 and _total_width([*block, column], gap) > width:
            yield _table(block, width, gap)
            block = block[:1]
        block.append(list(column))
    yield _table(block, width, gap)


def _folded(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(part for line in lines for part in chop_cells(line, _LONGEST_NAME) or [""])


def _total_width(columns: Sequence[Sequence[str]], gap: int) -> int:
    return sum(map(_narrowest, columns)) + gap * (len(columns) - 1)


def _narrowest(column: Sequence[str]) -> int:
    """Returns the width of a column whose heading is wrapped between its words."""
    heading, *cells = column
    texts = [*heading.split(), *(line for cell in cells for line in cell.split("\n"))]
    return max(map(cell_len, texts))


def _table(columns: Sequence[Sequence[str]], width: int, gap: int) -> Table:
    """Returns the table; headings stand on one line as far as there is room, from the left."""
    total = _total_width(columns, gap)
    room = max(width - total, 0)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0))
    for column in columns:
        narrowest = _narrowest(column)
        added = min(room, max(cell_len(column[0]) - narrowest, 0))
        room -= added
        total += added
        table.add_column(Text(column[0]), width=narrowest + added)
    table.width = total
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
