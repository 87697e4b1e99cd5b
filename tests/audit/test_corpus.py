"""Losses as people write them, broken and sound: the codes that the audit must report, by line.

The expectation is beside each function of corpus/*.py. A comment right above its `def` gives the
options of its audit and the codes of the whole function:

    # task: regression  domain: unit  fine  also: S401  maybe: N303  verdict: care

`also`: codes that must be reported, at any line. `maybe`: codes that may be reported. `fine`: no
warning and no error. A marker at the end of a line, `# <- D101 G201`, names codes that must be
reported at this line; if a code is marked on several lines of a function, each of them is right.
Markers of a helper belong to the first audited function below it. Every other code is a false
alarm.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from landscape.audit import audit
from landscape.catalog.user_code import load_file

CORPUS = Path(__file__).parent / "corpus"
CODES = frozenset(
    [f"D10{i}" for i in range(1, 5)]
    + [f"G20{i}" for i in range(1, 9)]
    + [f"N30{i}" for i in range(1, 4)]
    + [f"S40{i}" for i in range(1, 6)]
    + ["B501", "B502"]
)
OPTIONS = ("task", "kind", "domain", "head")
MARKER = re.compile(r"#\s*<-\s*(.+)$")


@dataclass(frozen=True)
class Case:
    """One audited function and its expectation."""

    file: Path
    name: str
    options: dict[str, str]
    fine: bool
    verdict: str | None
    also: frozenset[str]
    maybe: frozenset[str]
    marked: dict[str, set[int]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.file.stem}-{self.name}"


def read_case(file: Path, header: str, name: str) -> Case:
    """Parses the comment above a `def`."""
    entries: dict[str, list[str]] = {"": []}
    key = ""
    for word in header.lstrip("# ").split():
        if word.endswith(":"):
            key = word[:-1]
            entries[key] = []
        elif word == "fine":
            entries["fine"] = []
        else:
            entries[key].append(word)
    unknown = entries.keys() - {"", *OPTIONS, "fine", "also", "maybe", "verdict"}
    assert not unknown and not entries[""], f"{file.name}: {header}"
    return Case(
        file=file,
        name=name,
        options={key: entries[key][0] for key in OPTIONS if key in entries},
        fine="fine" in entries,
        verdict=entries.get("verdict", [None])[0],
        also=frozenset(entries.get("also", [])),
        maybe=frozenset(entries.get("maybe", [])),
    )


def read_cases(file: Path) -> list[Case]:
    """Returns all audited functions of a file; those without a header are helpers."""
    lines = file.read_text().splitlines()
    cases: list[Case] = []
    start = 0
    for node in ast.parse("\n".join(lines)).body:
        above = lines[node.lineno - 2] if node.lineno > 1 else ""
        if not isinstance(node, ast.FunctionDef) or not re.match(r"# (task|kind): ", above):
            continue
        case = read_case(file, above, node.name)
        for number, line in enumerate(lines[start : node.end_lineno], start + 1):
            if marker := MARKER.search(line):
                for code in marker[1].split():
                    case.marked.setdefault(code, set()).add(number)
        cases.append(case)
        start = node.end_lineno
    return cases


CASES = [case for file in sorted(CORPUS.glob("*.py")) for case in read_cases(file)]


def complaints(case: Case, result) -> list[str]:
    """Returns the differences between an audit and the expectation beside the function."""
    findings: dict[str, list] = {}
    for finding in result.findings:
        findings.setdefault(finding.code, []).append(finding)
    wrong = [f"{code} is not found" for code in {*case.marked, *case.also} - findings.keys()]
    for code in findings.keys() - {*case.marked, *case.also, *case.maybe}:
        wrong += [f"false alarm {code} {f.severity}: {f.message}" for f in findings[code]]
    for code in findings.keys() & case.marked.keys():
        places = {place_of(case, finding.where) for finding in findings[code]}
        if not places <= case.marked[code]:
            wrong.append(f"{code} points to {places}, not to line {case.marked[code]}")
    if case.fine:
        loud = [f for f in result.findings if f.severity in ("warning", "error")]
        wrong += [f"{f.severity} {f.code} for a sound function: {f.message}" for f in loud]
    wanted = "trainable" if case.fine else case.verdict
    if wanted not in (None, result.verdict):
        wrong.append(f"the verdict is {result.verdict}, not {wanted}")
    return sorted(wrong)


def place_of(case: Case, where) -> int | str:
    """Returns the line if it is in the file of the function, else the file and the line."""
    if where is None:
        return "no line"
    same = Path(where.file).resolve() == case.file.resolve()
    return where.line if same else f"{where.file}:{where.line}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_audit_agrees_with_the_expectation_beside_the_function(case: Case):
    function = getattr(load_file(case.file), case.name)
    # Code of users may promote as NumPy does, which the tests of this repository forbid.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        result = audit(function, **case.options)
    wrong = complaints(case, result)
    assert not wrong, "\n  ".join([f"{case.file.name}: {case.name}", *wrong])


def test_corpus_covers_every_code_twice_and_holds_enough_of_both_kinds():
    marked = Counter(code for case in CASES for code in case.marked)
    assert {code: marked[code] for code in CODES if marked[code] < 2} == {}
    assert sum(not case.fine for case in CASES) >= 40
    assert sum(case.fine for case in CASES) >= 30


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.py")), ids=lambda file: file.stem)
def test_every_public_function_of_the_corpus_has_an_expectation_and_a_story(file: Path):
    public = {
        node.name: ast.get_docstring(node)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    cases = {case.name: case for case in read_cases(file)}
    assert public.keys() == cases.keys()
    assert all(public.values())
    for case in cases.values():
        assert {*case.marked, *case.also, *case.maybe} <= CODES, case.name
        assert not case.maybe & {*case.marked, *case.also}, case.name
        assert not case.also & case.marked.keys(), case.name
        assert case.fine or case.marked, case.name


def test_complaints_name_what_is_missing_misplaced_or_false():
    case = next(case for case in CASES if case.name == "hard_dice")
    (line,) = case.marked["D101"]

    def finding_at(code, severity="warning", line=line, file=case.file):
        where = SimpleNamespace(file=str(file), line=line)
        return SimpleNamespace(code=code, severity=severity, message="", where=where)

    def complaints_about(*findings, verdict="untrainable"):
        return complaints(case, SimpleNamespace(findings=findings, verdict=verdict))

    right = [finding_at("D101"), finding_at("G201", "error"), finding_at("S401", "note", line=1)]
    assert complaints_about(*right) == []
    assert complaints_about(*right[1:]) == ["D101 is not found"]
    assert "D101 points to" in complaints_about(finding_at("D101", line=line + 1), *right)[0]
    assert "points to" in complaints_about(finding_at("D101", file="other.py"), *right[1:])[0]
    assert "false alarm N301" in complaints_about(*right, finding_at("N301"))[0]
    assert "the verdict is care" in complaints_about(*right, verdict="care")[0]
