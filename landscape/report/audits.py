"""What the audits of the losses said, and whether training bore them out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from landscape.report import words
from landscape.report.sentences import learns

# The name of the figure that shows the shapes of the losses, in the audit's own section.
FIGURE = "audit"
# The verdict on a loss that could not be audited.
NONE = "not audited"
VERDICTS = ("trainable", "care", "untrainable")
SEVERITIES = ("error", "warning", "note")
# Whether training agrees with the audit.
YES, NO, NO_CLAIM, NO_RUNS = "yes", "no", "no claim", "not trained"
COLUMNS = ("audit_verdict", "audit_findings", "audit_agrees")
RULE = (
    "an untrainable loss is predicted not to learn and a trainable one to learn, by the rule of "
    "the finding; care predicts nothing"
)
_NOT_FINITE = ("nan", "inf", "-inf")

Audit = Mapping[str, Any]


class Judged(NamedTuple):
    """A loss or point of a sweep: its audit beside what training showed."""

    loss: str
    verdict: str
    findings: tuple[tuple[str, str, str], ...]
    error: str
    training: str
    agrees: str

    @property
    def text(self) -> str:
        """All findings as one text."""
        found = "; ".join(f"{code} ({severity}): {said}" for code, severity, said in self.findings)
        return self.error or found or words.MISSING


@lru_cache(maxsize=256)
def parse(text: str) -> Audit:
    """The audit that audit.json holds, one value for equal texts; ValueError where it is none."""
    audit = json.loads(text)
    if not isinstance(audit, dict):
        raise ValueError(f"expected keys and values, found {type(audit).__name__}")
    if isinstance(audit.get("error"), str):
        return audit
    if audit.get("verdict") not in VERDICTS:
        raise ValueError(f"it has no verdict: {', '.join(VERDICTS)}")
    findings = audit.get("findings")
    if not isinstance(findings, list) or not all(map(_is_finding, findings)):
        raise ValueError("its findings are not as the program writes them")
    if audit.get("shapes") and not _can_be_drawn(audit["shapes"]):
        raise ValueError("its shapes are not as the program writes them")
    return audit


def _is_finding(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("where"), dict | None):
        return False
    texts = (value.get("code"), value.get("message"))
    return all(isinstance(text, str) for text in texts) and value.get("severity") in SEVERITIES


def _can_be_drawn(shapes: object) -> bool:
    """Curves as long as their x and rows as long as theirs; what a figure relies on."""
    if not isinstance(shapes, dict) or not isinstance(shapes.get("lines"), list):
        return False
    x, plane = shapes.get("x"), shapes.get("plane")
    curves = all(_is_curve(line, x) for line in shapes["lines"])
    return _numbers(x, x) and curves and (plane is None or _is_plane(plane))


def _is_curve(line: object, x: object) -> bool:
    if not isinstance(line, dict):
        return False
    marked = [line.get(name) for name in ("dead", "idle", "saturated", "marks")]
    values = [line.get(name) for name in ("value", "gradient")]
    return all(isinstance(m, list) for m in marked) and all(_numbers(v, x) for v in values)


def _is_plane(plane: object) -> bool:
    if not isinstance(plane, dict):
        return False
    x, y = plane.get("x"), plane.get("y")
    grids = [plane.get(name) for name in ("value", "gradient_x", "gradient_y")]
    return _numbers(x, x) and _numbers(y, y) and all(_is_grid(rows, x, y) for rows in grids)


def _is_grid(rows: object, x: object, y: object) -> bool:
    return _as_long(rows, y) and all(_numbers(row, x) for row in rows)


def _numbers(values: object, like: object) -> bool:
    """A list of as many numbers as the other has; those that JSON lacks are texts."""
    return _as_long(values, like) and all(
        value in _NOT_FINITE if isinstance(value, str) else type(value) in (int, float)
        for value in values
    )


def _as_long(values: object, like: object) -> TypeGuard[list]:
    return isinstance(values, list) and isinstance(like, list) and len(values) == len(like)


def of(audits: Iterable[Audit | None]) -> Audit | None:
    """The audit of runs of one loss: the first that has a verdict, else the first there is."""
    found = [audit for audit in audits if audit is not None]
    return next((audit for audit in found if "error" not in audit), found[0] if found else None)


def columns(audit: Audit | None) -> dict[str, str]:
    """The verdict and, in short, what it rests on: `untrainable` and `D101, G201`."""
    if audit is None:
        return {"audit_verdict": "", "audit_findings": ""}
    if "error" in audit:
        return {"audit_verdict": NONE, "audit_findings": _first_line(audit["error"])}
    grave = {item["code"] for item in audit["findings"] if item["severity"] != "note"}
    return {"audit_verdict": audit["verdict"], "audit_findings": ", ".join(sorted(grave))}


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def agrees(verdict: str, row: Mapping[str, Any]) -> str:
    """Whether training showed what the audit predicts, by `RULE`; empty without a verdict."""
    if verdict not in VERDICTS:
        return ""
    if verdict == "care":
        return NO_CLAIM
    if row["seeds"] == 0:
        return NO_RUNS
    return YES if learns(row) == (verdict == "trainable") else NO


def line(row: Mapping[str, Any]) -> str:
    """`audit: untrainable (D101, G201)`; empty where there is no audit."""
    verdict, found = row.get("audit_verdict", ""), row.get("audit_findings", "")
    if not verdict:
        return ""
    if verdict == NONE:
        return f"{verdict}: {found}"
    return f"audit: {verdict} ({found})" if found else f"audit: {verdict}"


def judged(runs: Mapping[str, Sequence[Any]], comparison: pd.DataFrame) -> list[Judged]:
    """A row for each row of the comparison that has an audit; `runs` by the name of the row."""
    rows = []
    for _, row in comparison.iterrows():
        audit = of(run.audit for run in runs.get(row["name"], ()))
        if audit is not None:
            verdict = columns(audit)["audit_verdict"]
            rows.append(
                Judged(
                    loss=str(row["name"]),
                    verdict=verdict,
                    findings=_findings(audit),
                    error=audit.get("error", ""),
                    training=str(row["finding"]),
                    agrees=agrees(verdict, row) or words.MISSING,
                )
            )
    return rows


def _findings(audit: Audit) -> tuple[tuple[str, str, str], ...]:
    """Code, severity and message with its place, the gravest first."""
    ordered = sorted(audit.get("findings", ()), key=lambda item: SEVERITIES.index(item["severity"]))
    return tuple((item["code"], item["severity"], _message(item)) for item in ordered)


def _message(item: Mapping[str, Any]) -> str:
    place = item["where"] or {}
    if not place.get("file") or not place.get("line"):
        return item["message"]
    return f"{item['message']} ({PurePath(str(place['file'])).name}:{place['line']})"


def tally(rows: Sequence[Judged]) -> str:
    """How often the audit made a claim, and how often training agrees."""
    answers = [row.agrees for row in rows]
    claims = answers.count(YES) + answers.count(NO)
    if not claims:
        return "The audit makes no claim that these runs could test."
    what = "claim" if claims == 1 else "claims"
    return f"Training agrees with {answers.count(YES)} of {claims} {what} of the audit."


def table(rows: Sequence[Judged]) -> pd.DataFrame:
    """The rows as texts, for the files."""
    names = ["loss", "audit", "findings", "training", "agree"]
    cells = [(row.loss, row.verdict, row.text, row.training, row.agrees) for row in rows]
    return pd.DataFrame(cells, columns=names)


def drawn(runs: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The audits, named as in the comparison; one a loss that stays the same over a sweep.

    Empty where none has shapes. Those that failed are in the list: a figure names them.
    """
    by_loss: dict[str, dict[str, Audit]] = {}
    for name, group in runs.items():
        audit = of(run.audit for run in group)
        if audit is not None:
            by_loss.setdefault(group[0].loss, {})[name] = audit
    found = []
    for loss, named in by_loss.items():
        first, *others = named.values()
        if others and all(other == first for other in others):
            named = {loss: first}
        found += [{**audit, "loss": name} for name, audit in named.items()]
    return found if any(audit.get("shapes") for audit in found) else []
