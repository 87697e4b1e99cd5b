"""The audit reproduces the tables of the known properties of each loss and activation."""

import importlib
import inspect
import math
import warnings
from functools import partial

import expected_activations
import expected_losses
import expected_optax
import jax
import optax.losses
import pytest
from expected import CLASSES, FACTS, FINITE, USUAL, Row, verdict_of

from landscape.audit import audit
from landscape.catalog.menu import menu

ROWS = expected_losses.ROWS + expected_optax.ROWS + expected_activations.ROWS
NAMED = {(row.function, row.task) for row in ROWS}
# A measured supremum may lie a little below the true one, but never above it.
BELOW, ABOVE = 1e-2, 1e-6
# Values are computed in float32: the infimum of log(cosh) may come out as -1e-7.
ROUNDING = 1e-5

# Losses of masks with several classes, which the audit does not draw.
OF_SEVERAL_CLASSES = {"segmentation": {"lovasz_softmax", "softmax_cross_entropy"}}

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def audited(row):
    module, name = row.function.split(":")
    function = getattr(importlib.import_module(module), name)
    if row.options:
        function = partial(function, **row.options)
    # Functions of libraries rely on promotions that the tests of this program forbid.
    lenient = jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard")
    with lenient[0], lenient[1], warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return audit(function, task=row.task, kind=row.kind, name=row.name)


@every_row
def test_audit_finds_what_is_known(row):
    result = audited(row)
    wrong = [
        *wrong_findings(row, result.findings),
        *wrong_properties(row, result.properties),
        *wrong_verdict(row, result),
    ]
    assert not wrong, "\n".join([row.name, *wrong])


def wrong_findings(row: Row, findings) -> list[str]:
    reported = {(finding.code, finding.severity) for finding in findings}
    codes = {code for code, _ in reported}
    wrong = [
        f"missing: {code} {severity}"
        for code, severity in row.expected.items()
        if (severity == "any" and code not in codes)
        or (severity != "any" and (code, severity) not in reported)
    ]
    for code, severity in sorted(reported - row.allowed):
        alarming = severity != "note" or code in FACTS
        if alarming and row.expected.get(code) not in (severity, "any"):
            message = next(f.message for f in findings if (f.code, f.severity) == (code, severity))
            wrong.append(f"false alarm: {code} {severity}: {message}")
    return wrong


def wrong_properties(row: Row, properties) -> list[str]:
    accepted = (row.smoothness,) if isinstance(row.smoothness, str) else row.smoothness
    values = {name: entry.value for name, entry in properties.items()}
    checks = {
        "smoothness": values["smoothness"] in accepted,
        "convex": values["convex"] is row.convex,
        "lipschitz": supremum_agrees(values["lipschitz"], row.lipschitz),
        "curvature": supremum_agrees(values["curvature"], row.curvature),
        "range": row.range is None
        or all(map(limit_agrees, values["range"], row.range, (False, True))),
    }
    return [
        f"{name} is {values[name]}, expected {getattr(row, name)}"
        for name, right in checks.items()
        if not right
    ]


def wrong_verdict(row: Row, result) -> list[str]:
    by_rule = verdict_of({finding.severity for finding in result.findings})
    severities = {(finding.code, finding.severity) for finding in result.findings}
    left_open = severities & row.allowed or "any" in row.expected.values()
    right = by_rule if left_open else row.verdict
    return [] if result.verdict == right else [f"verdict is {result.verdict}, expected {right}"]


def supremum_agrees(measured, true):
    if true is None:
        return True
    if measured is None or true == FINITE:
        return measured is not None and math.isfinite(measured)
    if math.isinf(true) or true == 0:
        return measured == true or abs(measured - true) <= ABOVE
    return true * (1 - BELOW) <= measured <= true * (1 + ABOVE)


def limit_agrees(measured, true, upper):
    if true is None:
        return True
    if measured is None or true == FINITE:
        return measured is not None and math.isfinite(measured)
    if math.isinf(true):
        return measured == true
    outward = measured - true if upper else true - measured
    return -BELOW * max(1, abs(true)) <= outward <= ROUNDING * max(1, abs(true))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "segmentation"])
def test_every_loss_of_the_menus_has_a_row(task):
    plain = {row.function for row in expected_losses.ROWS if row.task == task and not row.options}
    audited = menu("losses", task).keys() - OF_SEVERAL_CLASSES.get(task, set())
    assert plain == {f"landscape.parts.losses.{task}:{name}" for name in audited}


def test_every_activation_of_the_menu_has_a_row():
    rows = {row.function for row in expected_activations.MENU}
    assert rows == {f"landscape.parts.activations:{name}" for name in menu("activations")}


@pytest.mark.parametrize(
    ("module", "left_out"),
    [(optax.losses, expected_optax.LEFT_OUT), (jax.nn, expected_activations.LEFT_OUT)],
    ids=["optax.losses", "jax.nn"],
)
def test_every_public_function_has_a_row_or_a_reason(module, left_out):
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and not inspect.isclass(value)
    }
    prefix = f"{module.__name__}:"
    rows = {name.removeprefix(prefix) for name, _ in NAMED if name.startswith(prefix)}
    assert not rows & set(left_out)
    assert rows | set(left_out) == public


@every_row
def test_the_columns_of_a_row_agree_with_each_other(row):
    assert set(row.expected.values()) <= {"note", "warning", "error", "any"}
    if "any" not in row.expected.values():
        assert row.verdict == verdict_of(set(row.expected.values()))
    if row.kind == "loss":
        assert ("S401" in row.expected) == (not row.convex)
    if isinstance(row.smoothness, str):
        assert row.smoothness in CLASSES
        marks = {"discontinuous": {"D101"}, "C0": {"D102"}, "C1": {"D103"}, "C2": {"D103"}}
        breaks = {code for code in row.expected if code in ("D101", "D102", "D103")}
        assert breaks == marks.get(row.smoothness, set())


def test_names_of_rows_are_unique_and_codes_known():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    known = {*USUAL, "G202", "G205", "S402", "S403", "S405", "N301"}
    assert {code for row in ROWS for code in row.expected} <= known
