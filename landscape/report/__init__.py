"""The report of an experiment, made from its files alone: tables, figures and one page."""

from landscape.report.assemble import Report, build

__all__ = ["Report", "build"]
