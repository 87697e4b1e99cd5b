"""The comparison fits the terminal: nothing is broken, and no column vanishes."""

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from landscape.cli.comparison_view import print_comparison
from landscape.cli.fitted_table import fitted_tables
from landscape.storage.records import ReportRecord

GOLDEN = Path(__file__).parent.parent / "data" / "terminal"
WIDTHS = (80, 100, 140)
HEADINGS = ("loss", "accuracy % [95 % CI]", "fails", "reached", "gradient", "dead % e/c/w/u", "")
ROWS = (
    (
        "generalized_cross_entropy\nlearning_rate=0.001\nq=0.7",
        "97.6 [96.7, 98.2]",
        "0/10",
        "10/10 in 1280",
        "1.6→2.1e-5",
        "0/0/16/5",
        "reaches 92.7 % accuracy in 1280 steps (median); highest accuracy of 6, not "
        "distinguishable from focal",
    ),
    (
        "focal\nlearning_rate=0.0003\ngamma=2",
        "97.3 [96.9, 97.9]",
        "0/10",
        "9/10 in 80",
        "0.37→0.057",
        "90/98/8/6",
        "equivalent to softmax_cross_entropy within 1 point\naudit: trainable",
    ),
    ("brier\nlearning_rate=0.001", "97.5 [96.6, 98.1]", "0/10", "10/10 in 80", "0→0", "all 0", ""),
    (
        "softmax_cross_entropy",
        "97.6 [96.7, 98.2]",
        "0/10",
        "10/10 in 80",
        "1.6→0.21",
        "0/0/6/5",
        "",
    ),
    (
        "exponential\nlearning_rate=0.01",
        "51.5 [34.7, 99.6]",
        "3/10",
        "7/10 in 160",
        "46→1.4",
        "",
        "",
    ),
    (
        "zero_one\nlearning_rate=1e-05",
        "11.8 [7.5, 15.1]",
        "10/10",
        "0/10",
        "0→0",
        "all 100",
        "stuck",
    ),
)


def printed(width, rows=ROWS):
    screen = Console(width=width, file=io.StringIO(), highlight=False)
    print_comparison(screen, ReportRecord("source", HEADINGS, rows, {}))
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", WIDTHS)
def test_six_losses_with_three_swept_keys(width):
    assert printed(width) == (GOLDEN / f"comparison_{width}.txt").read_text().splitlines()


@pytest.mark.parametrize("width", [*WIDTHS, 50, 30])
def test_every_line_of_every_cell_is_whole_and_every_column_is_there(width):
    lines = printed(width)
    table = "\n".join(
        lines[
            : lines.index("generalized_cross_entropy (learning_rate=0.001, q=0.7)")
            if width > 60
            else None
        ]
    )
    for row in ROWS:
        for cell in row[:-1]:
            assert all(part in table for part in cell.split("\n"))
    for heading in HEADINGS[:-1]:
        assert all(word in table for word in heading.split())


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, printed(width))) <= width


@pytest.mark.parametrize(("width", "gaps", "tables"), [(11, 2, 1), (9, 1, 1), (8, 2, 2)])
def test_columns_move_together_if_the_whole_table_fits_then(width, gaps, tables):
    blocks = list(fitted_tables("abc", [("aaa", "bb", "cc"), ("aaa", "bb", "cc")], width))
    screen = Console(width=width, file=io.StringIO())
    screen.print(blocks[0])
    assert len(blocks) == tables
    assert f"aaa{' ' * gaps}bb" in screen.file.getvalue()


def test_values_of_a_row_stand_on_one_line_below_their_heading():
    (table,) = fitted_tables(HEADINGS[:-1], [row[:-1] for row in ROWS], 140)
    assert [column.header.plain for column in table.columns] == list(HEADINGS[:-1])
    lines = printed(140)
    start = lines[0].index("accuracy")
    assert [line[start : start + 4] for line in lines if "[" in line[start:]][1:] == (
        ["97.6", "97.3", "97.5", "97.6", "51.5", "11.8"]
    )


def test_a_long_name_of_wide_characters_is_folded():
    long = ("損失" * 20, "1.0", "2", "3", "4", "5", "")
    for width in WIDTHS:
        lines = printed(width, (long, *ROWS))
        assert max(map(cell_len, lines)) <= width
        assert sum(line.count("損") for line in lines) % 20 == 0
