"""Settings of figures for a page on the screen or for a paper: style, width and font."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager

from landscape.errors import UserError, nearest
from landscape.report.figures import style

STYLES = ("report", "paper")
NARROWEST, WIDEST = 2.5, 20.0
_PAPER: dict[str, Any] = {
    "figure.figsize": (3.25, 2.0),
    "axes.titlesize": 8,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.0,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
}
# Fonts that come with matplotlib, so that every machine draws the same: STIX resembles Times.
_FONTS: dict[str, dict[str, Any]] = {
    "sans": {"font.family": ["DejaVu Sans"], "mathtext.fontset": "dejavusans"},
    "serif": {"font.family": ["STIXGeneral", "DejaVu Sans"], "mathtext.fontset": "stix"},
}


def settings(
    name: str = "report", width: float | None = None, font: str | None = None
) -> Mapping[str, Any]:
    """Returns the settings of matplotlib for a style, with another width in inches or font.

    `name` is `report`, `paper`, or a matplotlib style file; `font` is `sans`, `serif` or the name
    of an installed font. Raises UserError if one of them is not known, or for a width below 2.5 or
    above 20 inches.
    """
    chosen = dict(style.SETTINGS)
    if name == "paper" or name not in STYLES:
        chosen |= _PAPER
    if name not in STYLES:
        chosen |= _from_file(name)
    if width is not None:
        if not NARROWEST <= width <= WIDEST:
            raise UserError(
                f"figures cannot be {width:g} inches wide",
                hint=f"choose a width from {NARROWEST:g} to {WIDEST:g}; a column of a paper with "
                "two columns is about 3.25 inches wide, its page 6.75",
            )
        chosen["figure.figsize"] = (width, chosen["figure.figsize"][1])
    return chosen if font is None else chosen | _font(font)


def _from_file(name: str) -> dict[str, Any]:
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"there is no style `{name}`",
            hint=f"{nearest(name, STYLES)}; or the path of a matplotlib style file",
        )
    try:
        chosen: Any = mpl.rc_params_from_file(path, use_default_template=False)
        return dict(chosen)
    except (OSError, ValueError) as error:
        raise UserError(
            f"`{name}` cannot be read as a matplotlib style file: {error}",
            hint="each line of such a file is `key: value`, as in `font.size: 8`",
        ) from None


def _font(name: str) -> dict[str, Any]:
    if name in _FONTS:
        return _FONTS[name]
    installed = sorted({entry.name for entry in font_manager.fontManager.ttflist})
    if name not in installed:
        raise UserError(f"there is no font `{name}`", hint=nearest(name, (*_FONTS, *installed)))
    return {"font.family": [name, "DejaVu Sans"]}
