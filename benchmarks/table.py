"""Formats results as Markdown tables and writes them into docs/speed.md."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import goals

DOCS = Path(__file__).parent.parent / "docs" / "speed.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
Row = dict[str, Any]
Columns = dict[str, Callable[[Row], str]]


def _rate(key: str, name: str) -> Callable[[Row], str]:
    return lambda row: f"{row[key][name]:,.3g}"


def _number(key: str, digits: int = 3) -> Callable[[Row], str]:
    return lambda row: f"{row[key]:.{digits}g}"


def _times(key: str) -> Callable[[Row], str]:
    return lambda row: f"{row[key]:.2f}"


def _text(key: str) -> Callable[[Row], str]:
    return lambda row: str(row[key])


def _list(key: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        return ", ".join(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in row[key])

    return cell


def _slope(row: Row) -> list[float]:
    """Returns the seconds for each more; nothing in results that are older than this column."""
    return [row["seconds for each more"]] if "seconds for each more" in row else []


TABLES: dict[str, tuple[str, Columns]] = {
    "planes": (
        "Points per second on a plane",
        {
            "model": _text("model"),
            "examples": _text("examples"),
            "landscape": _rate("points per second", "landscape"),
            "with accuracy and F1": _rate("points per second", "with scores"),
            "not hoisted": _rate("points per second", "not hoisted"),
            "loss-landscapes": _rate("points per second", "loss-landscapes"),
            "as documented": _rate("points per second", "as documented"),
            "PyTorch loop": _rate("points per second", "PyTorch loop"),
            "times as fast as loss-landscapes": _times("times loss-landscapes"),
            "times as fast as documented": _times("times as documented"),
            "share of matrix peak": _times("share of the matrix product's peak"),
        },
    ),
    "training": (
        "Training steps per second, recording every 20 steps",
        {
            "model": _text("model"),
            "landscape": _rate("steps per second", "landscape"),
            "recording nothing": _rate("steps per second", "recording nothing"),
            "PyTorch": _rate("steps per second", "PyTorch"),
            "times as fast as PyTorch": _times("times PyTorch"),
            "cost of recording": lambda row: f"{row['cost of recording']:.0%}",
            "compilation, s": _number("compilation", 2),
        },
    ),
    "menu": (
        "Speed with hoisting relative to without",
        {
            "model": _text("model"),
            "gradients": lambda row: "yes" if row["gradients"] else "no",
            "times as fast": _times("times plain"),
        },
    ),
    "quickstart": (
        "The whole quickstart, process time in seconds",
        {
            "first time": _rate("seconds", "first time"),
            "again, cached programs": _rate("seconds", "again"),
            "PyTorch script": _rate("seconds", "PyTorch script"),
            "first time, times as fast as PyTorch": _times("times PyTorch, first time"),
            "again, times as fast as PyTorch": _times("times PyTorch, again"),
            "peak memory, MiB": lambda row: f"{row['peak memory, MiB']['first time']:.0f}",
        },
    ),
    "jobs": (
        "The whole quickstart by executor with cached programs, and the cost of an additional run",
        {
            "executor": _text("executor"),
            "quickstart, s": lambda row: f"{row['seconds']:.3g}" if row["seconds"] else "",
            "ms per run": _number("milliseconds per run"),
        },
    ),
    "growth": (
        "Growth: the time is approximately proportional to size^exponent",
        {
            "grows with": _text("grows with"),
            "sizes": _list("tried"),
            "seconds": _list("seconds"),
            "exponent": _times("exponent"),
            "each more, s": lambda row: _list("s")({"s": _slope(row)}),
            "peak memory, MiB": lambda row: _list("MiB")({"MiB": row.get("peak memory, MiB", [])}),
        },
    ),
    "sweeps": (
        "Sweeps of many runs, process time in seconds",
        {
            "sweep": _text("sweep"),
            "first time, with report": _number("seconds"),
            "CPU": _number("CPU seconds"),
            "nothing to do": _number("nothing to do", 2),
            "`status`": _number("status", 2),
            "files": _text("files"),
            "MiB": _number("MiB", 2),
            "peak memory, MiB": lambda row: f"{row['peak memory, MiB']:,.0f}",
        },
    ),
    "increments": (
        "What one more costs",
        {
            "one more": _text("one more"),
            "compilation, s": _number("compilation", 2),
            "programs": _number("programs", 2),
            "whole experiment, s": _number("seconds", 2),
        },
    ),
    "suite": (
        "The test suite on two workers",
        {"seconds": _number("seconds"), "tests": _text("summary")},
    ),
    "start": (
        "Cold start",
        {
            "command": _text("command"),
            "seconds": _number("seconds", 2),
            "processor seconds": _number("processor seconds", 2),
            "times the imports, wall": _times("times the imports, wall"),
            "times the imports, processor": _times("times the imports"),
            "goal": lambda row: f"under {row['goal']:g}" if row["goal"] else "",
        },
    ),
    "audit": (
        "Audits, each set in one process",
        {
            "audits of": _text("set"),
            "number": _text("audits"),
            "processor seconds, median": _number("processor median", 2),
            "90 %": _number("processor 90 %", 2),
            "worst": _number("processor worst", 2),
            "seconds, median": _number("wall median", 2),
            "seconds, 90 %": _number("wall 90 %", 2),
            "seconds, worst": _number("wall worst", 2),
            "the worst": lambda row: row["worst"].rpartition(":")[2],
        },
    ),
    "memory": (
        "Memory of a large plane",
        {
            "parameters": lambda row: f"{row['parameters']:,}",
            "examples": lambda row: f"{row['examples']:,}",
            "points": lambda row: f"{row['points']:,}",
            "seconds": _number("seconds"),
            "peak memory, MiB": lambda row: f"{row['peak memory, MiB']:,.0f}",
        },
    ),
    "report": (
        "The report by number of runs, imports included",
        {
            "runs": lambda row: f"{row['runs']:,}",
            "seconds": _number("seconds", 2),
            "processor seconds": _number("processor seconds", 2),
            "seconds, up to date": _number("seconds, up to date", 2),
            "peak memory, MiB": lambda row: f"{row['peak memory, MiB']:,.0f}",
            "page, MiB": _number("page, MiB", 2),
        },
    ),
}


def markdown(name: str, results: dict[str, Any]) -> str:
    """Returns the Markdown table of one part."""
    title, columns = TABLES[name]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell(row) for cell in columns.values()) for row in results["rows"]]
    return "\n".join([f"**{title}**", "", *(f"| {line} |" for line in lines)])


def write(results: Path) -> None:
    """Writes the tables of all stored results into docs/speed.md."""
    parts = [goals.markdown(results)] + [
        markdown(name, json.loads((results / f"{name}.json").read_text()))
        for name in TABLES
        if (results / f"{name}.json").is_file()
    ]
    text = DOCS.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCS.write_text(f"{head}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{tail}")
