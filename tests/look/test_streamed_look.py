"""Looks at batches that stream from the host: against looks in memory; resume; messages."""

import jax.numpy as jnp
import numpy as np
import pytest

import landscape
from landscape import UserError
from landscape.numerics import example_stream

RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(3, 4)), "v": RNG.normal(size=4)}
INPUTS = RNG.normal(size=(30, 3)).astype(np.float32)
TARGETS = INPUTS.sum(axis=1)
SLICES = {"lines": {"directions": 2, "points": 5}, "planes": {"points": [3, 5]}}
LINES, PLANE = "trained/lines/random", "trained/planes/random"


def layers(params, inputs):
    return jnp.tanh(inputs @ params["w"]) @ params["v"]


def squared(predictions, targets):
    return (predictions - targets) ** 2


def mean_error(params, batch):
    return jnp.mean(squared(layers(params, batch["x"]), batch["y"]))


def batches():
    """Batches of 12, 12 and 6 examples."""
    for start in range(0, 30, 12):
        yield INPUTS[start : start + 12], TARGETS[start : start + 12]


def named_batches():
    for inputs, targets in batches():
        yield {"x": inputs, "y": targets}


def look_at(data, out, params=PARAMS, **settings):
    """Looks without printing."""
    settings = {"filter_axes": "last", "slices": SLICES} | settings
    return landscape.look(params, data, out=out, tell=len, **settings)


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """One look in memory, and two at streamed batches of unequal size."""
    out = tmp_path_factory.mktemp("looks")
    whole = look_at((INPUTS, TARGETS), out, apply=layers, loss=squared, label="whole")
    pairs = look_at(batches, out, apply=layers, loss=squared, label="pairs")
    risk = look_at(named_batches, out, risk=mean_error, label="risk")
    return whole, pairs, risk


@pytest.mark.parametrize("kind", [1, 2])
def test_batches_of_unequal_size_give_the_slices_of_the_whole_in_memory(looks, kind):
    whole, streamed = looks[0].slices, looks[kind].slices
    for name in (LINES, PLANE):
        for array in ("risk", "norm", "cosine", "keys"):
            expected = whole[f"{name}/{array}"]
            np.testing.assert_allclose(streamed[f"{name}/{array}"], expected, rtol=1e-6, atol=1e-6)
    for array in ("slope", "curvature"):
        expected = whole[f"{LINES}/{array}"]
        np.testing.assert_allclose(streamed[f"{LINES}/{array}"], expected, rtol=1e-4)
    columns = ["risk/evaluation", "gradient_norm/global"]
    expected = looks[0].point[columns].to_numpy()
    np.testing.assert_allclose(looks[kind].point[columns].to_numpy(), expected, rtol=1e-6)


def test_the_number_of_streamed_examples_is_recorded_and_the_page_is_built(looks):
    summary = looks[1].summary
    assert summary.training_examples == 30
    assert "30 examples in 3 batches that stream from the host" in summary.data.description
    assert not [check.name for check in summary.checks if check.passed is False]
    assert looks[1].report().is_file()


def shuffled():
    order = np.random.default_rng().permutation(30)
    yield INPUTS[order], TARGETS[order]


def failing():
    yield INPUTS, TARGETS
    raise OSError("no such shard")


def other_types():
    yield INPUTS, TARGETS
    yield INPUTS, TARGETS.astype(int)


# What is passed, and what the message says.
MISTAKES = {
    "generator": ({"data": batches()}, "`data` can be read only once"),
    "ends early": ({"data": (lambda made: lambda: made)(batches())}, "ended after 0 batches"),
    "shuffled": ({"data": shuffled}, "batch 0 of `data` is not that of the first pass"),
    "fails": ({"data": failing}, "`data` raises OSError at batch 1: no such shard"),
    "types": ({"data": other_types}, "batch 1 of `data` has the arrays"),
    "nothing": ({"data": lambda: iter(())}, "`data` yields no batches"),
    "no iterable": ({"data": lambda: 3}, "`data` returns the integer 3"),
    "curvature": ({"curvature": {"eigenvalues": 1}}, "`curvature` needs tens of vectors"),
    "metrics": ({"metrics": ["rmse"]}, "`metrics` need all predictions"),
    "size": ({"evaluation": {"size": 5}}, "`evaluation.size` selects from all examples"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_explained(mistake, tmp_path):
    changes, expected = MISTAKES[mistake]
    settings = {"data": batches, "apply": layers, "loss": squared} | changes
    with pytest.raises(UserError) as raised:
        look_at(settings.pop("data"), tmp_path, **settings)
    assert expected in str(raised.value)


class Killed(BaseException):
    """Ends a look as a signal does."""


def test_a_killed_look_goes_on_where_it_was_and_ends_with_the_same_bytes(tmp_path, monkeypatch):
    passes = []

    def counting():
        passes.append(1)
        if len(passes) == kill_at:
            raise Killed
        yield from batches()

    monkeypatch.setattr(example_stream, "POINTS_PER_PASS", 2)
    settings = {"apply": layers, "loss": squared}
    kill_at = None
    whole = look_at(counting, tmp_path / "whole", **settings)
    needed = len(passes)
    passes.clear()
    kill_at = needed - 6
    with pytest.raises(Killed):
        look_at(counting, tmp_path / "killed", **settings)
    passes.clear()
    kill_at = None
    resumed = look_at(counting, tmp_path / "killed", **settings)
    assert len(passes) < needed / 2
    for name in ("slices.npz", "trace.parquet", "params.safetensors"):
        assert (resumed.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert not list(resumed.folder.glob(".*"))
