"""Which losses can be trained, and why the others cannot."""

__version__ = "0.1.0"
