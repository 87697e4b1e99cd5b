"""The table of docs/audit.md on gradient checkers: every cell of it is computed."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.test_util import check_grads
from page import function, table

from landscape.audit import Audit, audit

ROWS = table("loss", "at p", "order 1", "order 2", "verdict", "codes")


@pytest.fixture(autouse=True)
def promotion():
    """Lets the losses promote as NumPy does, which the tests of this repository forbid."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def loss_of(expression: str):
    """Returns loss(p, t) from an expression in the prediction p, the target t and e = p - t."""
    inner = function(expression, "p", "t", "e")
    return lambda p, t: inner(p, t, p - t)


@functools.cache
def audited(expression: str) -> Audit:
    return audit(loss_of(expression), task="regression", name=expression)


def checked(expression: str, at: str, order: int) -> str:
    """Returns the outcome of jax's checker with its defaults, at a prediction, for the target 0."""
    loss = loss_of(expression)
    try:
        check_grads(lambda p: loss(p, jnp.float32(0)), (jnp.float32(at),), order=order)
    except AssertionError:
        return "fails"
    return "passes"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['loss']} at {row['at p']}")
def test_the_checker_agrees_with_the_table(row):
    outcomes = {f"order {order}": checked(row["loss"], row["at p"], order) for order in (1, 2)}
    assert outcomes == {key: row[key] for key in outcomes}


@pytest.mark.parametrize("expression", dict.fromkeys(row["loss"] for row in ROWS))
def test_the_audit_agrees_with_the_table(expression):
    result = audited(expression)
    documented = {(row["verdict"], row["codes"]) for row in ROWS if row["loss"] == expression}
    assert documented == {(result.verdict, ", ".join(sorted(result.codes())) or "none")}


def test_each_accepts_losses_that_the_other_rejects():
    silent = [row for row in ROWS if (row["order 1"], row["order 2"]) == ("passes", "passes")]
    assert {"untrainable", "care"} <= {row["verdict"] for row in silent}
    loud = [row for row in ROWS if "fails" in (row["order 1"], row["order 2"])]
    assert "trainable" in {row["verdict"] for row in loud}
