"""Fits texts into a width: user code can name losses and targets at any length."""

import re
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from landscape.report.escapes import figure_text

_POINTS_PER_INCH = 72
# Renderers round the advance of each letter to pixels.
_WIDTH_MARGIN = 1.03
_REPLACEMENT = "\N{WHITE SQUARE}"


def inches(text: str, **font: Any) -> float:
    """Returns the width of one line of text, with 8 pt as the default size."""
    font = {"size": 8, "family": tuple(mpl.rcParams["font.family"])} | font
    return _inches(text, tuple(sorted(font.items())))


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


def shorten(text: str, width: int) -> str:
    """Shortens to `width` characters with an ellipsis; the point of a sweep in brackets is kept."""
    if len(text) <= width:
        return text
    loss, opening, point = text.rpartition(" (")
    room = width - len(opening + point)
    if opening and room >= 6:
        return loss[: room - 1] + "…" + opening + point
    return text[: width - 1] + "…"


def wrap(text: str, width: float, max_lines: int, **font: Any) -> list[str]:
    """Wraps the text at spaces, and after underscores in words that are wider than `width` inches.

    The last of at most `max_lines` lines is shortened to `width`.
    """
    lines = [""]
    for word in one_line(text, **font).split(" "):
        wide = max_lines > 1 and inches(word, **font) > width
        for i, piece in enumerate(re.split("(?<=_)", word) if wide else [word]):
            longer = f"{lines[-1]}{' ' if lines[-1] and not i else ''}{piece}"
            if lines[-1] and len(lines) < max_lines and inches(longer, **font) > width:
                lines.append(piece)
            else:
                lines[-1] = longer
    return [fit(line, width, **font) for line in lines]


def label(text: str, width: float, max_lines: int = 2, **font: Any) -> str:
    """Returns a title or an axis label of at most `max_lines` lines of `width` inches."""
    return "\n".join(map(figure_text, wrap(text, width, max_lines, **font)))
