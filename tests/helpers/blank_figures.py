"""Reports whose figures are drawn but not rendered, which is most of a report's time."""

import base64
import contextlib

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
def blank_figures():
    """Draws the figures of reports once, not again for phones, and writes blank files of them."""
    from landscape.report import page_images
    from landscape.report.figures import rendering

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_images, "phone_image", lambda draw, name: b"")
        patch.setattr(rendering, "_saved", lambda figure, image_format: _BLANK[image_format])
        yield
