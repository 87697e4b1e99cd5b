"""Images of figures in a page: one for wide screens, and for most figures one for phones."""

import base64
import io
from collections.abc import Callable
from typing import NamedTuple

from landscape.report.figures import appearance, rendering
from landscape.report.figures.view import Picture

# Inches. A phone shows this width in about 370 points, so that text of 8 pt has about 12 points.
_PHONE_WIDTH = 3.5
_PHONE_COLORS = 256
# Figures that are not drawn for phones, where they are scrolled: the pages have interactive ones.
_WIDE = "surfaces"


class PageImage(NamedTuple):
    """An image within the text of a page, and its size in pixels."""

    source: str
    width: int
    height: int


class RenderedPicture(NamedTuple):
    """A figure with its image for the page, that for phones if any, and whether it has a pdf."""

    picture: Picture
    wide: PageImage
    narrow: PageImage | None = None
    has_pdf: bool = True


def wide_image(png: bytes) -> PageImage:
    """Returns the same pixels as the png in half of the bytes."""
    return page_image(_webp(png))


def phone_image(draw: Callable[[], Picture | None], name: str) -> bytes:
    """Draws a figure again in the width of a phone, and returns it as WebP.

    It has a palette of colors, which makes it a third as large. Returns nothing if the labels of
    the figure leave no room there.
    """
    if name.startswith(_WIDE):
        return b""
    settings = appearance.settings(width=_PHONE_WIDTH)
    try:
        with rendering.report_style(settings):
            picture = draw()
        if picture is None:
            return b""
        return _webp(rendering.image_bytes(picture, "png", settings), _PHONE_COLORS)
    except (ArithmeticError, ValueError):
        return b""


def page_image(webp: bytes) -> PageImage:
    """Returns an image for the text of a page."""
    from PIL import Image  # matplotlib's own library for images

    with Image.open(io.BytesIO(webp)) as opened:
        width, height = opened.size
    text = base64.b64encode(webp).decode("ascii")
    return PageImage(f"data:image/webp;base64,{text}", width, height)


def _webp(png: bytes, colors: int | None = None) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    if colors is not None:
        image = image.quantize(colors, dither=Image.Dither.NONE).convert("RGB")
    image.save(buffer, "WEBP", lossless=True, method=1, quality=20)
    return buffer.getvalue()
