"""An audit as text for a terminal: the verdict, the properties, each finding at its line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landscape.report import words

_COLORS = {"trainable": "green", "care": "yellow", "untrainable": "red"}
_SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
# What goes without saying.
_ALL = dict.fromkeys(("smoothness", "convex", "lipschitz", "curvature", "range"))
_ALL |= {"dead_fraction": 0.0, "coverage": 1.0}
_NAMES = {
    "lipschitz": "steepest slope",
    "curvature": "curvature",
    "range": "range",
    "dead_fraction": "no gradient for",
    "coverage": "reaches",
}


def lines(audit: Mapping[str, Any], *, verbose: bool = False) -> RenderableType:
    """The whole audit; `verbose` adds every suspect and its fate."""
    parts: list[RenderableType] = [_head(audit), Padding(_properties(audit), (0, 0, 0, 2))]
    parts += [Padding(_finding(finding, verbose), (0, 0, 0, 2)) for finding in audit["findings"]]
    if not audit["findings"]:
        parts.append(Text("  nothing found", style="dim"))
    parts += [Padding(Text(f"note: {note}", style="dim"), (0, 0, 0, 2)) for note in audit["notes"]]
    if verbose:
        parts.append(Padding(_suspects(audit["suspects"]), (0, 0, 0, 2)))
    return Group(*parts, Text())


def refused(loss: str, error: str) -> RenderableType:
    """A loss that could not be audited."""
    head = Text.assemble((loss, "bold"), "  ", ("not audited", "bold red"))
    return Group(head, Padding(Text(error), (0, 0, 0, 2)), Text())


def _head(audit: Mapping[str, Any]) -> Text:
    verdict = audit["verdict"]
    about = [audit["task"] or audit["kind"]]
    if audit["domain"] != "real":
        about.append(f"on {audit['domain']}")
    if audit["head"]:
        about.append(f"through {audit['head']}")
    return Text.assemble(
        (audit["loss"], "bold"),
        (f"  {' '.join(about)}  ", "dim"),
        (verdict, f"bold {_COLORS[verdict]}"),
    )


def _properties(audit: Mapping[str, Any]) -> Table:
    """What is proved on one line, what is measured on another."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=9)
    table.add_column()
    for how in ("proved", "measured"):
        found = [
            _property(name, entry["value"])
            for name, entry in audit["properties"].items()
            if entry["how"] == how and entry["value"] is not None and entry["value"] != _ALL[name]
        ]
        if found:
            table.add_row(how, ", ".join(found))
    return table


def _property(name: str, value: Any) -> str:
    if name == "smoothness":
        return str(value)
    if name == "convex":
        return "convex" if value else "not convex"
    if name == "range":
        return f"range {number(value[0])} to {number(value[1])}"
    if name in ("dead_fraction", "coverage"):
        of = "predictions" if name == "dead_fraction" else "components"
        return f"{_NAMES[name]} {words.percent(value)} % of {of}"
    return f"{_NAMES[name]} {number(value)}"


def number(value: Any) -> str:
    """A number of an audit, which may be a text for an infinite one."""
    if isinstance(value, str):
        return {"inf": "∞", "-inf": f"{words.MINUS}∞"}.get(value, value)
    return words.tick(float(value))


def _finding(finding: Mapping[str, Any], verbose: bool) -> Table:
    severity = finding["severity"]
    table = Table.grid(padding=(0, 1))
    table.add_column(style=_SEVERITIES[severity], width=7)
    table.add_column(style="bold", width=4)
    table.add_column(overflow="fold")
    table.add_row(severity, finding["code"], Text(finding["message"]))
    for line in _place(finding["where"]):
        table.add_row("", "", line)
    if finding["suggestion"] and (verbose or severity != "note"):
        table.add_row("", "", Text(f"instead: {finding['suggestion']}", style="green"))
    return table


def _place(where: Mapping[str, Any] | None) -> Iterator[Text]:
    """File and line, the source, and a caret under the operation."""
    if where is None:
        return
    yield Text(f"{_near(where['file'])}:{where['line']}", style="dim")
    text = where.get("text") or ""
    if not text:
        return
    first, last = where.get("column"), where.get("end_column")
    room = 58
    start = 0
    if first is not None and last is not None and first > room // 2 and len(text) > room:
        start = min(first - 1, len(text) - room)
    shown = text[start : start + room]
    yield Text(f"  {'…' if start else ''}{shown}{'…' if start + room < len(text) else ''}")
    if first is not None and last is not None:
        width = max(1, min(last - first, room - (first - 1 - start)))
        yield Text(" " * (first + 1 - start + bool(start)) + "^" * width, style="bold")


def _near(file: str) -> str:
    """The path as somebody here would write it."""
    path = Path(file)
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    installed = [i for i, part in enumerate(path.parts) if part == "site-packages"]
    return str(Path(*path.parts[installed[-1] + 1 :])) if installed else file


def _suspects(suspects: Sequence[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    table.add_row(*(Text(t, style="dim") for t in ("suspect", "fate", "line", "why")))
    for suspect in suspects:
        where = suspect["where"]
        line = str(where["line"]) if where else ""
        table.add_row(suspect["operation"], suspect["fate"], line, suspect["detail"])
    return table if suspects else Table.grid()
