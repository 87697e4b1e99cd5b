"""What the text of one cell is: a number, a truth value, a date, or a number that needs advice."""

import math
import re

# Texts of cells that are missing unless `missing_values` lists others.
MISSING_VALUES = ("", "nan", "na", "n/a", "null")
TRUTH = {"true": 1.0, "false": 0.0}
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d.*)?")
_SEPARATED = re.compile(r"[-+]?\d+([.,' ]\d+)+")
_WITH_UNIT = re.compile(r"[$€£¥]?\s*[-+]?\d[\d.,]*\s*(%|[A-Za-z°µ€$£¥][A-Za-z/²³\d]{0,4})?")


def number(text: str, decimal: str = ".") -> float | None:
    """Returns the finite number that a text is, with this mark before decimals; else None."""
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_date(text: str) -> bool:
    """Returns whether a text is a date, with or without a time of day."""
    return _DATE.fullmatch(text) is not None


def resembles_number(text: str) -> bool:
    """Returns whether a text is a number with a unit or with another mark of decimals."""
    return _WITH_UNIT.fullmatch(text) is not None or _SEPARATED.fullmatch(text) is not None


def advice(text: str, decimal: str) -> str | None:
    """Returns which option reads a text as a number; None if none does."""
    if decimal == "." and number(text, ",") is not None:
        return 'write `decimal: ","` if the comma is before decimals; remove it from thousands'
    if decimal == "," and number(text) is not None:
        return 'leave `decimal: ","` out if the point is before decimals; remove it from thousands'
    if resembles_number(text):
        return "write numbers without units and without separators of thousands"
    return None
