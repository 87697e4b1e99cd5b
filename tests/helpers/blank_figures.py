"""Reports of which no figure is rendered, or some: rendering is most of a report's time."""

import base64
import contextlib
import functools

import pytest

# An image of one white pixel, a document without pages, and an empty drawing.
_BLANK = {
    "png": base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
    ),
    "pdf": b"%PDF-1.4\n%%EOF\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


@contextlib.contextmanager
def blank_figures(*, laid_out=False):
    """Draws the figures of reports once, not again for phones, and writes blank files of them.

    `laid_out`: also computes where panels and texts lie, most of the rest of the time, for tests of
    texts and numbers that a figure might not be able to show.
    """
    from landscape.report import page_images
    from landscape.report.figures import rendering

    with _originals(), pytest.MonkeyPatch.context() as patch:
        if not laid_out:
            patch.setattr(_panel_figure(), "settle", lambda figure: None)
        patch.setattr(page_images, "phone_image", lambda draw, name: b"")
        patch.setattr(rendering, "_saved", lambda figure, image_format: _BLANK[image_format])
        yield


@contextlib.contextmanager
def rendered_figures(*names):
    """Renders the figures with these names, within `blank_figures` as well, and draws no others."""
    from landscape.report.numbers import ReportNumbers

    drawings = ReportNumbers.drawings
    with _originals(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ReportNumbers, "drawings", lambda self: (d for d in drawings(self) if d.name in names)
        )
        yield


@contextlib.contextmanager
def _originals():
    """Undoes the changes of `blank_figures`, which may be those of a whole module."""
    from landscape.report import page_images
    from landscape.report.figures import rendering

    settle, phone_image, saved = _functions()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_panel_figure(), "settle", settle)
        patch.setattr(page_images, "phone_image", phone_image)
        patch.setattr(rendering, "_saved", saved)
        yield


@functools.cache
def _functions():
    """What `blank_figures` replaces, as it is before the first use."""
    from landscape.report import page_images
    from landscape.report.figures import rendering

    return _panel_figure().settle, page_images.phone_image, rendering._saved


def _panel_figure():
    from landscape.report.figures.panel_layout import PanelFigure

    return PanelFigure
