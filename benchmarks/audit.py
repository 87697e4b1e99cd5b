"""Times audits of the menu, of the corpus of the tests and of the examples of all codes.

Each set is audited in one process.

Processor seconds hardly depend on what else the machine does, wall seconds do. The first audit of a
process also imports jax and is not counted. `landscape audit huber` is a process of its own.
"""

import functools
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import start

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "audit" / "corpus"
TIME_LIMIT = 60.0


class Case(NamedTuple):
    """A loss by its name, and options of its audit."""

    name: str
    options: dict[str, str]


class Duration(NamedTuple):
    """Wall seconds and processor seconds of one audit."""

    name: str
    wall: float
    processor: float


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per set of losses; only the command is repeated, as many times as rounds."""
    command = [*start.COMMAND, "audit", "huber"]
    times = [start.process_times(command, dict(os.environ)) for _ in range(rounds)]
    rows = [_row("`landscape audit huber`", [Duration("huber", *pair) for pair in times])]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            "the menu": _menu(),
            "the corpus": _corpus(),
            "the examples of codes": _examples(Path(folder)),
        }
        for name, cases in sets.items():
            with context.Pool(1) as pool:
                rows.append(_row(name, pool.apply(durations, [list(cases)])))
    return rows


def durations(cases: list[Case]) -> list[Duration]:
    """Audits each case once, in this process, after an audit that is not counted."""
    from landscape.audit import by_name

    audit_one = functools.partial(by_name.audit_each, folder=ROOT, seconds=TIME_LIMIT)
    timed = []
    for case in [cases[0], *cases]:
        options = by_name.AuditOptions(
            kind=case.options.get("kind", "loss"),
            task=case.options.get("task"),
            domain=case.options.get("domain"),
            head=case.options.get("head"),
            order="auto",
            targets="auto",
            outputs=int(case.options["outputs"]) if "outputs" in case.options else None,
            arguments={},
        )
        wall, processor = time.perf_counter(), time.process_time()
        (outcome,) = audit_one([case.name], options)
        if outcome.audit is None:
            raise RuntimeError(str(outcome.error))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        timed.append(Duration(case.name, wall, processor))
    return timed[1:]


def _menu() -> Iterator[Case]:
    from landscape import catalog

    for entry in catalog.entries("losses"):
        yield Case(entry.name, {"task": str(entry.task)})


def _corpus() -> Iterator[Case]:
    """Yields the cases of tests/audit/corpus; the comment above a function has its options."""
    for file in sorted(CORPUS.glob("*.py")):
        commented = re.findall(r"^# (.+)\ndef (\w+)", file.read_text(), re.MULTILINE)
        for comment, name in commented:
            options = dict(re.findall(r"\b(task|kind|domain|head): (\w+)", comment))
            if options:
                yield Case(f"{file.relative_to(ROOT)}:{name}", options)


def _examples(folder: Path) -> Iterator[Case]:
    """Yields the two functions on the page of each code, which it writes into a folder."""
    from landscape.report.code_pages import code_pages

    for page in code_pages().values():
        for part, text in (("example", page.example), ("fixed", page.fixed)):
            file = folder / f"{page.code.lower()}_{part}.py"
            file.write_text(text)
            function = re.findall(r"^def (\w+)", text, re.MULTILINE)[-1]
            yield Case(f"{file}:{function}", dict(re.findall(r"--(\w+) (\w+)", page.options)))


def _row(name: str, timed: list[Duration]) -> dict[str, Any]:
    """Returns median, 90th percentile and worst of a set."""
    worst = max(timed, key=lambda duration: duration.processor)
    row: dict[str, Any] = {"set": name, "audits": len(timed), "worst": worst.name}
    for unit in ("processor", "wall"):
        seconds = [getattr(duration, unit) for duration in timed]
        for level, share in (("median", 50), ("90 %", 90), ("worst", 100)):
            row[f"{unit} {level}"] = float(np.percentile(seconds, share))
    return row
