"""The pages on the audit are true: surprises and all of their tables but one are computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from page import PAGE, ROOT, function, table

from landscape import config
from landscape.audit import PROPERTIES, by_name
from landscape.report import audits
from landscape.run.program_cache import ProgramCache

VERDICTS = table("experiment", "loss", "audit", "errors and warnings", "training", "agree")
RULES = table("loss", "task", "suspects", "smoothness", "convex")
TIES = table("f(x)", "at", "slope left", "slope right", "autodiff")
LIMITS = table("f at x", "h", "0.1", "0.01", "0.001", "0.0001", "so")
EXPERIMENTS = ("quickstart", "broken_losses")


def plain(cell: str) -> str:
    return cell.strip("`")


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_loss_of_the_experiments_has_the_verdict_that_the_audit_gives(name):
    cache, judgments = ProgramCache(), {}
    for run in config.expand(config.load(ROOT / "configs" / f"{name}.yaml", ["seeds=1"])):
        judged = audits.answer(cache.audit(run))
        judgments[run.loss.label] = (judged.verdict, judged.findings or "none")
    documented = {
        plain(row["loss"]): (row["audit"], row["errors and warnings"])
        for row in VERDICTS
        if row["experiment"] == name
    }
    assert documented == judgments


def test_care_makes_no_claim_and_the_claims_are_counted():
    assert {row["experiment"] for row in VERDICTS} == set(EXPERIMENTS)
    answers = [row["agree"] for row in VERDICTS]
    for row in VERDICTS:
        assert (row["agree"] == "no claim") == (row["audit"] == "care")
    claims = answers.count("yes") + answers.count("no")
    assert f"agrees with {answers.count('yes')} of {claims} claims" in PAGE.read_text()


@pytest.mark.parametrize("row", RULES, ids=lambda row: f"{row['loss']} {row['task']}")
def test_the_table_lists_what_the_rules_prove(row):
    options = by_name.AuditOptions(
        "loss", row["task"], "real", None, "auto", "auto", outputs=None, arguments={}
    )
    (outcome,) = by_name.audit_each([plain(row["loss"])], options, ROOT, seconds=60)
    smoothness, convex = (outcome.audit.properties[name] for name in ("smoothness", "convex"))
    assert row == {
        "loss": row["loss"],
        "task": row["task"],
        "suspects": str(len(outcome.audit.suspects)),
        "smoothness": f"{smoothness.value}, {smoothness.how}",
        "convex": f"{'yes' if convex.value else 'no'}, {convex.how}",
    }


@pytest.mark.parametrize("row", TIES, ids=lambda row: f"{row['f(x)']} at {row['at']}")
def test_the_table_lists_what_autodiff_returns_at_ties(row):
    value, at, step = function(row["f(x)"], "x"), float(row["at"]), 2.0**-20
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        below, center, above = (float(value(jnp.float64(at + h))) for h in (-step, 0, step))
    with jax.numpy_dtype_promotion("standard"):
        slope = float(jax.grad(value)(jnp.float32(at)))
    slopes = [(center - below) / step, (above - center) / step, slope]
    documented = [float(row[column]) for column in ("slope left", "slope right", "autodiff")]
    assert np.allclose(slopes, documented, atol=1e-6, equal_nan=True)


def test_difference_quotients_are_those_of_the_table():
    functions = {
        "abs at 0": (abs, 0.0),
        "squared relu at 0": (lambda x: max(x, 0.0) ** 2, 0.0),
        "round at 0.5": (round, 0.5),
    }
    sides = [(f, at, name, sign) for name, (f, at) in functions.items() for sign in (-1, 1)]
    for row, (f, at, name, sign) in zip(LIMITS, sides, strict=True):
        assert (row["f at x"], row["h"]) == ((name, "left") if sign < 0 else ("", "right"))
        for step in ("0.1", "0.01", "0.001", "0.0001"):
            h = sign * float(step)
            assert float(row[step]) == pytest.approx((f(at + h) - f(at)) / h)


def test_the_compiler_takes_the_epsilon_away():
    def loss(z):
        return -jnp.log(1 - jax.nn.sigmoid(z) + 1e-8)

    def whole(z, target):
        return target * -jnp.log(jax.nn.sigmoid(z) + 1e-8) + (1 - target) * loss(z)

    z = jnp.float32(18)
    rows = table("-log(1 - p + 1e-8)", "value", "gradient")
    documented = [[float(row["value"]), float(row["gradient"])] for row in rows]
    called, compiled = [loss(z), jax.grad(loss)(z)], [jax.jit(loss)(z), jax.jit(jax.grad(loss))(z)]
    assert np.allclose([called, compiled], documented, atol=0.01, equal_nan=True)
    assert whole(z, jnp.float32(1)) == 0
    assert jnp.isnan(jax.jit(whole)(z, jnp.float32(1)))


def test_every_property_is_on_the_page():
    columns = ("name in JSON", "shown as", "formula", "unit", "for c l(x)", "for l(c x)")
    assert tuple(plain(row["name in JSON"]) for row in table(*columns)) == PROPERTIES
