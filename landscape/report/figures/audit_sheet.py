"""Lays out a page in inches from its upper left corner, with text fitted to the available width.

Messages and names come from user code and can have any length, so every text is wrapped or
shortened by the widths of its glyphs.
"""

from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from landscape.report.escapes import figure_text
from landscape.report.figures.style import WIDTH, shorten

LINE_HEIGHT = 0.155
_POINTS_PER_INCH = 72
# Renderers round the advance of each letter to pixels.
_WIDTH_MARGIN = 1.03
_REPLACEMENT = "\N{WHITE SQUARE}"


class Sheet:
    """A figure 7 inches wide; `left` and `top` are inches from its upper left corner."""

    def __init__(self, height: float):
        self.figure = Figure(figsize=(WIDTH, height))
        self.height = height

    def axes(self, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
        """Adds a panel with its upper left corner at this position."""
        down = self.height - top - height
        rectangle = (left / WIDTH, down / self.height, width / WIDTH, height / self.height)
        return self.figure.add_axes(rectangle, **options)

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        """Adds one line of text with its baseline `top` inches down."""
        self.figure.text(left / WIDTH, 1 - top / self.height, figure_text(text), **options)

    def mark(self, left: float, top: float, marker: Any, color: str, size: float = 6) -> None:
        """Adds a marker centered at this position."""
        self.stroke(left, left, top, marker=marker, color=color, markersize=size, mew=0)

    def stroke(self, left: float, right: float, top: float, **options: Any) -> None:
        """Adds a horizontal line with its markers."""
        ends = ([left / WIDTH, right / WIDTH], [1 - top / self.height] * 2)
        self.figure.add_artist(Line2D(*ends, transform=self.figure.transFigure, **options))


def inches(text: str, **font: Any) -> float:
    """Returns the width of one line of text, with 8 pt as the default size."""
    return _inches(text, tuple(sorted(({"size": 8} | font).items())))


@lru_cache(maxsize=4096)
def _inches(text: str, font: tuple[tuple[str, Any], ...]) -> float:
    properties = FontProperties(**dict(font))
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return _WIDTH_MARGIN * width / _POINTS_PER_INCH


def one_line(text: object, **font: Any) -> str:
    """Returns the text on one line; characters missing from the font are replaced by a square."""
    face = get_font(findfont(FontProperties(**font)))
    line = " ".join(str(text).split())
    return "".join(char if face.get_char_index(ord(char)) else _REPLACEMENT for char in line)


def fit(text: str, width: float, **font: Any) -> str:
    """Shortens the text to at most `width` inches."""
    text = one_line(text, **font)
    if inches(text, **font) <= width:
        return text
    low, high = 1, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        too_wide = inches(shorten(text, middle), **font) > width
        low, high = (low, middle) if too_wide else (middle, high)
    return shorten(text, low)


def wrap(text: str, width: float, max_lines: int, **font: Any) -> list[str]:
    """Wraps the text to `width` inches; the last of at most `max_lines` lines is shortened."""
    lines = [""]
    for word in one_line(text, **font).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if inches(longer, **font) <= width:
            lines[-1] = longer
            continue
        *full_lines, last = _pieces(word, width, **font)
        lines = [*(line for line in lines if line), *full_lines, last]
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], fit(" ".join(lines[max_lines - 1 :]), width, **font)]
    return lines


def _pieces(word: str, width: float, **font: Any) -> list[str]:
    """Splits a word into pieces that fit."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and inches(pieces[-1] + letter, **font) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
