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
    """A figure together with its png, that for phones if there is one, and whether it has a pdf."""

    picture: Picture
    png: bytes
    phone_png: bytes = b""
    has_pdf: bool = True

    @property
    def wide(self) -> PageImage:
        """The image for the page: the same pixels as the png, in half of the bytes."""
        return _image(self.png)

    @property
    def narrow(self) -> PageImage | None:
        """The image for phones, with a palette of colors: a third of the bytes."""
        return _image(self.phone_png, _PHONE_COLORS) if self.phone_png else None


def phone_png(draw: Callable[[], Picture | None], name: str) -> bytes:
    """Draws a figure again in the width of a phone; nothing if its labels leave no room there."""
    if name.startswith(_WIDE):
        return b""
    settings = appearance.settings(width=_PHONE_WIDTH)
    try:
        with rendering.report_style(settings):
            picture = draw()
        return rendering.image_bytes(picture, "png", settings) if picture else b""
    except (ArithmeticError, ValueError):
        return b""


def _image(png: bytes, colors: int | None = None) -> PageImage:
    from PIL import Image  # matplotlib's own library for images

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    if colors is not None:
        image = image.quantize(colors, dither=Image.Dither.NONE).convert("RGB")
    image.save(buffer, "WEBP", lossless=True, method=1, quality=20)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return PageImage(f"data:image/webp;base64,{text}", *image.size)
