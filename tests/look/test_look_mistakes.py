"""What does not fit is reported in one message each, before anything is stored as a look."""

import jax.numpy as jnp
import numpy as np
import pytest

import landscape
from landscape import UserError

RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(3, 4)), "v": RNG.normal(size=4)}
INPUTS = RNG.normal(size=(20, 3)).astype(np.float32)
TARGETS = INPUTS.sum(axis=1)
BATCHES = [(INPUTS[:10], TARGETS[:10]), (INPUTS[10:], TARGETS[10:])]
LINES = {"lines": {"directions": 2, "points": 3}, "planes": None}


def layers(params, inputs):
    return jnp.tanh(inputs @ params["w"]) @ params["v"]


def squared(predictions, targets):
    return (predictions - targets) ** 2


def residual(params, batch):
    return jnp.mean(squared(layers(params, batch[0]), batch[1]))


def residuals(params, batch):
    return squared(layers(params, batch[0]), batch[1])


def not_a_number(params, batch):
    return jnp.sqrt(-1 - residual(params, batch))


def infinite(params, batch):
    return residual(params, batch) + jnp.inf


def not_a_loss(predictions, targets):
    return squared(predictions, targets) * jnp.nan


def pair(params, batch):
    return residual(params, batch), {}


def without_step(**lines):
    return {"lines": lines, "planes": None}


# What is passed, and what the message says.
MISTAKES = {
    "no loss": ({"loss": None}, "neither `loss` nor `risk`"),
    "loss and risk": ({"risk": residual}, "both `loss` and `risk`"),
    "no apply": ({"apply": None}, "neither `apply` nor `risk`"),
    "unknown loss": ({"loss": "squared_eror"}, "did you mean `squared_error`"),
    "params": ({"params": {"w": PARAMS["w"]}}, "raises KeyError: 'v'"),
    "integers": ({"params": {"w": np.arange(3)}}, "`w` is an array of int32"),
    "NaN": ({"params": {**PARAMS, "v": np.full(4, np.nan)}}, "`v` is NaN or infinite in 100%"),
    "inputs": ({"data": (INPUTS[:, :2], TARGETS)}, "shape, got (2,) and (3,)"),
    "no examples": ({"data": (INPUTS[:0], TARGETS[:0])}, "`data` has no examples"),
    "NaN inputs": (
        {"data": (INPUTS * np.nan, TARGETS)},
        "inputs in `data` are NaN or infinite in 1",
    ),
    "targets": ({"data": (INPUTS, TARGETS[:5])}, "20 inputs, but 5 targets"),
    "no pair": ({"data": INPUTS}, "expected a pair"),
    "filter axes": ({"filter_axes": None}, 'filter_axes="first" for weights (outputs, inputs)'),
    "unknown axes": ({"filter_axes": {"u": 0}}, "an axis for `u`"),
    "missing axes": ({"filter_axes": {"w": 2, "v": None}}, "2 for `w` of shape (3, 4)"),
    "initial": ({"initial": {"w": PARAMS["w"]}}, "it lacks `v`"),
    "checkpoints": ({"checkpoints": [{**PARAMS, "v": np.ones(5)}]}, "the shape (5,) at `v`"),
    "trainable": ({"trainable": "u".__eq__}, "selects none of the 2 arrays"),
    "auto": ({"slices": without_step(radius="auto")}, "pass `initial`, a tree like `params`"),
    "update": ({"slices": without_step(direction="update")}, "pass `update`"),
    "trajectory": ({"slices": without_step(direction="trajectory")}, "pass `checkpoints`, a list"),
    "at": ({"slices": {**LINES, "at": ["initial"]}}, "needs the parameters before training"),
    "key": ({"slices": {"line": {}}}, "did you mean `slices.lines`"),
    "no batches": ({"risk": residual, "loss": None, "data": iter(())}, "yields no batches"),
    "generator": (
        {"risk": residual, "loss": None, "data": iter(BATCHES), "evaluation": {"size": 5}},
        "`evaluation.size` is 5, but `data` has 2 batches",
    ),
    "batches": (
        {"risk": residual, "loss": None, "data": [*BATCHES, (INPUTS[:4],)]},
        "batch 2 of `data` has the arrays",
    ),
    "NaN risk": (
        {"risk": not_a_number, "loss": None, "data": BATCHES},
        "risk `mine` is NaN at the point",
    ),
    "infinite risk": (
        {"risk": infinite, "loss": None, "data": BATCHES},
        "risk `mine` is inf at the point, expected a finite number",
    ),
    "NaN loss": ({"loss": not_a_loss}, "NaN"),
    "pair": ({"risk": pair, "loss": None, "data": BATCHES}, "the risk returns a tuple"),
    "scalar": (
        {"risk": residuals, "loss": None, "data": BATCHES},
        "float32 of shape (10,), expected a floating-point scalar",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake, tmp_path):
    changes, expected = MISTAKES[mistake]
    settings = {"apply": layers, "loss": squared, "filter_axes": "last", "slices": LINES}
    settings |= {"params": PARAMS, "data": (INPUTS, TARGETS)} | changes
    with pytest.raises(UserError) as raised:
        landscape.look(settings.pop("params"), **settings, out=tmp_path, tell=len)
    assert expected in str(raised.value)
    assert not list(tmp_path.glob("look/runs/*/status.json"))
