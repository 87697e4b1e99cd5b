"""B502, a batch dependence: the result depends on the order of the batch, or on its size.

The result changes if the batch is permuted or doubled.

## Why

Shuffling changes what is trained, or the learning rate must change with the batch size.

## Severity

Warning for a permutation, and for an activation that is not elementwise. Note for a doubled batch,
as with a sum instead of a mean.

## Instead

Treat every example alike; take a mean.

## Example (--task regression)

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.sum(jnp.square(predictions - targets))

## Fixed

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.mean(jnp.square(predictions - targets))
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.codes._batches import ROWS, random_batch
from landscape.audit.codes._numbers import quote
from landscape.audit.measure.survey import Survey
from landscape.interop.libraries import called_in_torch
from landscape.numerics.compiling import jit_once
from landscape.storage.audit_records import Finding

TOLERANCE = 1e-4  # relative change of the result of a loss
PERMUTATION = np.array([3, 0, 4, 1, 2])
SUM = 0.01  # tolerance of the factor 2 by which a sum over the batch grows
ELEMENTWISE = {"rtol": 1e-4, "atol": 1e-5}  # tolerances for an activation
ORDERING = ("slice", "gather", "rev", "cumsum", "dynamic_slice", "concatenate", "iota", "sort")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, on a batch of random examples."""
    if survey.subject.kind == "activation":
        return _activation(survey)
    return _loss(survey) if survey.subject.kind == "loss" else []


def _loss(survey: Survey) -> list[Finding]:
    if survey.subject.draw is None:  # a loss of parameters, whose batch is fixed
        return []
    predictions, targets = random_batch(survey)
    # A new function, so that two of three calls share a trace, and no trace of another context.
    function = jax.jit(lambda p, t: survey.subject.batched(p, t))

    def variants(p: Any, t: Any) -> tuple:
        permuted = jax.tree.map(lambda array: array[PERMUTATION], (p, t))
        doubled = jax.tree.map(lambda array: jnp.concatenate([array, array]), (p, t))
        return function(p, t), function(*permuted), function(*doubled)

    try:
        with called_in_torch(survey.subject.function):
            results = [np.asarray(v, np.float64) for v in jit_once(variants)(predictions, targets)]
    except Exception:  # the loss refuses such a batch; the shapes it accepts were checked before
        return []
    batch, permuted, _ = results
    means = [float(result.mean()) for result in results]
    if not np.isfinite(means).all():
        return []
    evidence = dict(zip(("batch", "permuted", "doubled"), means, strict=True))
    expected = batch[PERMUTATION] if batch.ndim and len(batch) == ROWS else batch
    level = TOLERANCE * (np.abs(batch).mean() + 1e-6)
    if expected.shape == permuted.shape and np.abs(expected - permuted).max() > level:
        return [_depends_on_order(survey, evidence)]
    compares = survey.subject.rows > 1 and survey.subject.goal in ("order", "free")
    if compares or abs(means[2] - means[0]) <= level:  # more pairs are compared in a larger batch
        return []
    return [_depends_on_size(survey, evidence)]


def _depends_on_order(survey: Survey, evidence: dict[str, float]) -> Finding:
    return Finding(
        code="B502",
        severity="warning",
        message=(
            f"the result depends on the order of the batch: {evidence['batch']:.5g}, and "
            f"{evidence['permuted']:.5g} after a permutation; shuffling changes what is trained"
        ),
        where=survey.place_of_operation(ORDERING) or survey.definition,
        evidence=evidence,
        suggestion="treat all examples alike: no weights by position, no neighbors in the batch",
    )


def _depends_on_size(survey: Survey, evidence: dict[str, float]) -> Finding:
    batch, doubled = evidence["batch"], evidence["doubled"]
    ratio = doubled / batch if batch else np.inf
    kind = "a sum over the batch" if abs(ratio - 2) < SUM else "not a mean over the batch"
    return Finding(
        code="B502",
        severity="note",
        message=(
            f"the result changes when the batch is doubled ({batch:.5g} to {doubled:.5g}): it is "
            f"{kind}, so the learning rate must change with the batch size"
        ),
        where=survey.place_of_operation(("reduce_sum",), last=True) or survey.definition,
        evidence=evidence,
        suggestion="take the mean over the batch, or return one value per example",
    )


def _activation(survey: Survey) -> list[Finding]:
    """Compares the result for a batch with the results for its elements."""
    x = jnp.asarray(np.random.default_rng(3).normal(size=ROWS).astype(np.float32))
    function = survey.subject.function

    def both(v: Any) -> tuple:
        return function(v), jnp.concatenate([function(v[i : i + 1]) for i in range(ROWS)])

    try:
        together, alone = (np.asarray(v, np.float64) for v in jit_once(both)(x))
    except Exception:  # the function refuses a vector of this length
        return []
    if np.allclose(together, alone, equal_nan=True, **ELEMENTWISE):
        return []
    return [
        Finding(
            code="B502",
            severity="warning",
            message=(
                "the result for one element depends on the others of the batch: it is not "
                "elementwise, and behaves differently for another batch size"
            ),
            where=survey.definition,
            evidence={"together": quote(together), "alone": quote(alone)},
            suggestion="audit it with `--kind function`, or normalize over features, not the batch",
        )
    ]
