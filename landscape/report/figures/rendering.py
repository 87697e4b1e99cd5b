"""Renders figures to png, pdf or svg: the same figure gives the same bytes on every machine."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from landscape.errors import UserError
from landscape.report.figures import style

if TYPE_CHECKING:
    from landscape.report.figures.view import Picture

# Keywords of `savefig` per format. Dates are left out: they would make the bytes differ.
_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 150},
    "pdf": {"dpi": 300, "metadata": {"CreationDate": None}},
    "svg": {"dpi": 300, "metadata": {"Date": None}},
}


def image_bytes(
    picture: "Picture", suffix: str, settings: Mapping[str, Any] | None = None
) -> bytes:
    """Returns the figure in the format of a file suffix: `png`, `.pdf` or `svg`.

    `settings` are those it was drawn with, of the report by default.

    Raises UserError for any other suffix.
    """
    image_format = suffix.removeprefix(".").lower()
    if image_format not in _FORMATS:
        suffixes = ", ".join(f".{name}" for name in _FORMATS)
        raise UserError(
            f"figures cannot be written as `{suffix}`",
            hint=f"use a file name that ends in one of {suffixes}",
        )
    with report_style(settings), mpl.rc_context({"svg.hashsalt": picture.name}):
        return _saved(picture.figure, image_format)


def pdf_bytes(figure: Figure) -> bytes:
    """Returns the figure as pdf."""
    with report_style():
        return _saved(figure, "pdf")


def png_bytes(figure: Figure) -> bytes:
    """Returns the figure as png."""
    with report_style():
        return _saved(figure, "png")


def _saved(figure: Figure, image_format: str) -> bytes:
    buffer = io.BytesIO()
    options = dict(_FORMATS[image_format])
    if mpl.rcParams["savefig.dpi"] != "figure":
        options["dpi"] = mpl.rcParams["savefig.dpi"]
    figure.savefig(buffer, format=image_format, **options)
    return buffer.getvalue()


@contextmanager
def report_style(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Applies a style, the report's by default, ignores matplotlibrc, and restores both."""
    with mpl.rc_context():
        mpl.rcdefaults()
        chosen: Any = style.SETTINGS if settings is None else settings
        mpl.rcParams.update(chosen)
        yield
