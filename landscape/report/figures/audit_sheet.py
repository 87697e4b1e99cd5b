"""A page laid out in inches from its upper left corner, and text that is measured before it is set.

Messages come from other people's code, so nothing is known about their length: every text is
wrapped or shortened to the width it has, by the widths of the font itself.
"""

from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from landscape.report.figures.style import WIDTH, plain, shorten

LINE = 0.155
_POINTS = 72
# Renderers round each letter's advance to their own pixels.
_SAFE = 1.03
_REPLACEMENT = "\N{WHITE SQUARE}"


class Sheet:
    """A figure 7 inches wide; `left` and `top` are inches from its upper left corner."""

    def __init__(self, height: float):
        self.figure = Figure(figsize=(WIDTH, height))
        self.height = height

    def axes(self, left: float, top: float, width: float, height: float, **more: Any) -> Axes:
        """A panel with its upper left corner at this place."""
        down = self.height - top - height
        place = (left / WIDTH, down / self.height, width / WIDTH, height / self.height)
        return self.figure.add_axes(place, **more)

    def text(self, left: float, top: float, text: str, **more: Any) -> None:
        """One line of text, its baseline `top` inches down."""
        self.figure.text(left / WIDTH, 1 - top / self.height, plain(text), **more)

    def mark(self, left: float, top: float, marker: Any, color: str, size: float = 6) -> None:
        """A marker centered at this place."""
        self.stroke(left, left, top, marker=marker, color=color, markersize=size, mew=0)

    def stroke(self, left: float, right: float, top: float, **more: Any) -> None:
        """A horizontal line, its markers included."""
        ends = ([left / WIDTH, right / WIDTH], [1 - top / self.height] * 2)
        self.figure.add_artist(Line2D(*ends, transform=self.figure.transFigure, **more))


def inches(text: str, **font: Any) -> float:
    """The width of one line of text, 8 pt unless `size` says otherwise."""
    return _inches(text, tuple(sorted(({"size": 8} | font).items())))


@lru_cache(maxsize=4096)
def _inches(text: str, font: tuple[tuple[str, Any], ...]) -> float:
    properties = FontProperties(**dict(font))
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return _SAFE * width / _POINTS


def one_line(text: object, **font: Any) -> str:
    """Text on one line, without characters that the font lacks."""
    face = get_font(findfont(FontProperties(**font)))
    line = " ".join(str(text).split())
    return "".join(one if face.get_char_index(ord(one)) else _REPLACEMENT for one in line)


def fit(text: str, room: float, **font: Any) -> str:
    """The text, shortened by as much as it takes to be at most `room` inches wide."""
    text = one_line(text, **font)
    if inches(text, **font) <= room:
        return text
    low, high = 1, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        wide = inches(shorten(text, middle), **font) > room
        low, high = (low, middle) if wide else (middle, high)
    return shorten(text, low)


def wrap(text: str, room: float, most: int, **font: Any) -> list[str]:
    """The text in lines of at most `room` inches; what goes beyond `most` lines is left out."""
    lines = [""]
    for word in one_line(text, **font).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if inches(longer, **font) <= room:
            lines[-1] = longer
            continue
        *whole, last = _pieces(word, room, **font)
        lines = [*(line for line in lines if line), *whole, last]
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), room, **font)]
    return lines


def _pieces(word: str, room: float, **font: Any) -> list[str]:
    """A word cut into pieces that fit."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and inches(pieces[-1] + letter, **font) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
