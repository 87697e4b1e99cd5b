"""Where gradient checkers are silent: every cell of that table of docs/audit.md is computed."""

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
    """The losses promote as NumPy does, whatever the tests of this repository forbid themselves."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def loss_of(expression: str):
    """loss(p, t) from an expression in the prediction p, the target t and their difference e."""
    inner = function(expression, "p", "t", "e")
    return lambda p, t: inner(p, t, p - t)


@functools.cache
def audited(expression: str) -> Audit:
    return audit(loss_of(expression), task="regression", name=expression)


def checked(expression: str, at: str, order: int) -> str:
    """What jax's own checker says at one prediction, with its defaults, for the target 0."""
    loss = loss_of(expression)
    try:
        check_grads(lambda p: loss(p, jnp.float32(0)), (jnp.float32(at),), order=order)
    except AssertionError:
        return "fails"
    return "passes"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['loss']} at {row['at p']}")
def test_the_checker_says_what_the_table_says(row):
    found = {f"order {order}": checked(row["loss"], row["at p"], order) for order in (1, 2)}
    assert found == {key: row[key] for key in found}


@pytest.mark.parametrize("expression", dict.fromkeys(row["loss"] for row in ROWS))
def test_the_audit_says_what_the_table_says(expression):
    found = audited(expression)
    told = {(row["verdict"], row["codes"]) for row in ROWS if row["loss"] == expression}
    assert told == {(found.verdict, ", ".join(sorted(found.codes())) or "none")}


def test_each_is_silent_where_the_other_speaks():
    silent = [row for row in ROWS if (row["order 1"], row["order 2"]) == ("passes", "passes")]
    assert {"untrainable", "care"} <= {row["verdict"] for row in silent}
    loud = [row for row in ROWS if "fails" in (row["order 1"], row["order 2"])]
    assert "trainable" in {row["verdict"] for row in loud}
