import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape.numerics.loss import Loss, Targets
from landscape.numerics.recording import (
    Recording,
    best_row,
    better,
    checkpoint_slots,
    first_best,
    recorded_steps,
    score,
)
from landscape.numerics.risk import Examples
from landscape.numerics.step import all_finite
from landscape.numerics.train import (
    Loop,
    TrainingInputs,
    run_in_pieces,
    trainer,
)
from landscape.numerics.training_order import draw_order
from landscape.parts.models import Model

RNG = np.random.default_rng(1)
INPUTS = RNG.normal(size=(30, 3)).astype(np.float32)
TARGETS = (INPUTS @ np.array([1.0, -2.0, 0.5]) + 0.1 * RNG.normal(size=30)).astype(np.float32)
EXAMPLES = Examples(jnp.asarray(INPUTS), Targets(jnp.asarray(TARGETS)))

linear = Model(
    init=lambda key: {"w": jnp.zeros(3)},
    apply=lambda params, inputs: inputs @ params["w"],
    filter_axes=lambda params: {"w": None},
)


def apply_two_layers(params, inputs):
    return jnp.tanh(inputs @ params["in"]["w"]) @ params["out"] + params["in"]["b"][0]


two_layers = Model(
    init=lambda key: {
        "in": {"b": jnp.zeros(1), "w": jax.random.normal(key, (3, 4))},
        "out": jnp.ones(4),
    },
    apply=apply_two_layers,
    filter_axes=lambda params: {"in": {"b": None, "w": 1}, "out": None},
)


def squared(predictions, targets):
    return (predictions - targets) ** 2


def weights_seen(snapshot):
    return {
        "seen": snapshot.params["w"],
        "gradient": snapshot.gradients["w"],
        "update": snapshot.updates["w"],
    }


def training_inputs(params, optimizer, steps, every, batch=8, checkpoints=0):
    record_at = recorded_steps(steps, every)
    return TrainingInputs(
        optimizer=optimizer,
        params=params,
        training=EXAMPLES,
        evaluation=EXAMPLES,
        order=draw_order(jax.random.key(3), 30, steps, batch),
        record_at=jnp.asarray(record_at, jnp.int32),
        slots=jnp.asarray(checkpoint_slots(record_at, checkpoints), jnp.int32),
    )


def train(
    loss=squared,
    *,
    rate=0.05,
    steps=20,
    every=6,
    batch=8,
    vanishing=1e-7,
    exploding=1e3,
    checkpoints=0,
):
    recording = Recording([weights_seen], 16, vanishing, exploding, checkpoints)
    loop = trainer(linear, lambda numbers: optax.sgd(numbers["rate"]), recording)
    start = {"w": jnp.asarray([0.5, 0.5, 0.5])}
    inputs = training_inputs(start, {"rate": rate}, steps, every, batch, checkpoints)
    loop = Loop(jax.jit(loop.begin), jax.jit(loop.advance))
    return inputs.order, run_in_pieces(loop, Loss(loss), inputs)


def gradient(w, rows):
    x, y = INPUTS[rows].astype(float), TARGETS[rows].astype(float)
    return 2 * x.T @ (x @ w - y) / len(rows), np.mean((x @ w - y) ** 2)


def test_every_recorded_row_is_that_of_a_numpy_loop():
    order, trained = train()
    w, path = np.full(3, 0.5), []
    for batch in np.asarray(order):
        slope, risk = gradient(w, batch)
        path.append((w, risk, slope))
        w = w - 0.05 * slope
    assert trained.rows["step"].tolist() == [0, 6, 12, 18, 20]
    for row, step in enumerate([0, 6, 12, 18, 20]):
        w, risk, slope = path[step]
        np.testing.assert_allclose(trained.rows["seen"][row], w, rtol=1e-5)
        np.testing.assert_allclose(trained.rows["risk/batch"][row], risk, rtol=1e-4)
        np.testing.assert_allclose(trained.rows["gradient"][row], slope, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(trained.rows["update"][row], -0.05 * slope, rtol=1e-3, atol=1e-6)
        everywhere = np.mean((INPUTS.astype(float) @ w - TARGETS) ** 2)
        np.testing.assert_allclose(trained.rows["risk/evaluation"][row], everywhere, rtol=1e-4)
    np.testing.assert_allclose(trained.last.params["w"], path[20][0], rtol=1e-5)
    assert not trained.diverged


def test_training_freezes_at_the_last_finite_parameters():
    order, trained = train(rate=1e6, steps=40, every=1)
    w, step = np.full(3, 0.5, np.float32), 0
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            x, y = INPUTS[order[step]], TARGETS[order[step]]
            residual = x @ w - y
            moved = w - np.float32(1e6) * (2 * x.T @ residual / np.float32(8))
            if not (np.isfinite(np.mean(residual**2)) and np.isfinite(moved).all()):
                break
            w, step = moved, step + 1
    assert trained.diverged
    assert int(trained.step) == step
    assert np.isfinite(trained.last.params["w"]).all()
    np.testing.assert_allclose(trained.last.params["w"], w, rtol=1e-2)
    assert trained.rows["step"].tolist() == [min(s, step) for s in range(41)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_entry_that_is_not_finite_is_found_among_thousands(bad):
    """XLA computes reductions of so many entries by other kernels, some of which omit NaN."""
    entries = RNG.normal(scale=1e38, size=4810).clip(-3e38, 3e38).astype(np.float32)
    is_finite = jax.jit(lambda vector: all_finite({"a": vector, "b": jnp.ones(2)}))
    assert is_finite(entries)
    for place in (0, 1, 2405, 4809):
        changed = entries.copy()
        changed[place] = bad
        assert not is_finite(changed), place


@pytest.mark.parametrize(
    ("loss", "dead", "vanishing", "exploding"),
    [
        (lambda p, t: jnp.round(p - t), 20, 0, 0),
        (lambda p, t: 1e-10 * (p - t) ** 2, 0, 20, 0),
        (lambda p, t: 1e4 * p, 0, 0, 20),
        (lambda p, t: p, 0, 0, 0),
    ],
)
def test_steps_are_counted_as_dead_vanishing_or_exploding(loss, dead, vanishing, exploding):
    _, trained = train(loss, rate=1e-6, exploding=50.0)
    last = {name: int(values[-1]) for name, values in trained.rows.items() if "steps/" in name}
    assert last == {"steps/dead": dead, "steps/vanishing": vanishing, "steps/exploding": exploding}


@pytest.mark.parametrize(("steps", "every"), [(10, 3), (10, 5), (10, 10), (10, 11), (1, 1)])
def test_first_and_last_step_are_always_recorded(steps, every):
    record_at = recorded_steps(steps, every)
    assert record_at == sorted({s for s in range(steps + 1) if s % every == 0 or s == steps})


@pytest.mark.parametrize(("examples", "steps", "batch"), [(10, 7, 3), (10, 4, 10), (7, 20, 4)])
def test_every_epoch_of_the_order_is_a_permutation(examples, steps, batch):
    order = np.asarray(draw_order(jax.random.key(0), examples, steps, batch))
    assert order.shape == (steps + 1, batch)
    flat = order.ravel()
    epochs = [flat[i : i + examples] for i in range(0, len(flat) - examples + 1, examples)]
    assert epochs
    for epoch in epochs:
        assert sorted(epoch) == list(range(examples))
    if len(epochs) > 1:
        assert epochs[0].tolist() != epochs[1].tolist()


def test_a_batch_of_groups_cuts_one_at_each_end():
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(12), np.arange(1, 13)))
    examples = len(groups)
    order = np.asarray(draw_order(jax.random.key(0), examples, 40, 16, groups)).ravel()
    epochs = [order[i : i + examples] for i in range(0, len(order) - examples + 1, examples)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(examples))
        changes = np.flatnonzero(np.diff(groups[epoch]))
        assert len(changes) == 11  # each of the 12 groups in one piece
    assert (groups[epochs[0]] != groups[epochs[1]]).any()
    within = [[e for e in epoch if groups[e] == 11] for epoch in epochs]
    assert within[0] != within[1]


@pytest.mark.parametrize(
    ("count", "slots"),
    [
        (0, [0, 0, 0, 0, 0]),
        (1, [0, 1, 1, 1, 1]),
        (2, [0, 2, 2, 2, 1]),
        (3, [0, 3, 1, 3, 2]),
        (5, [0, 1, 2, 3, 4]),
        (9, [0, 1, 2, 3, 4]),
    ],
)
def test_checkpoints_are_spread_over_the_recorded_steps(count, slots):
    assert checkpoint_slots([0, 6, 12, 18, 20], count) == slots


def test_checkpoints_and_the_last_step_are_those_of_the_path():
    _, trained = train(checkpoints=3)
    seen = np.asarray(trained.rows["seen"])
    steps = np.asarray(trained.rows["step"])
    assert steps.tolist() == [0, 6, 12, 18, 20]
    np.testing.assert_array_equal(trained.checkpoints.params["w"], seen[[0, 2, 4]])
    _, before = train(steps=19, every=19)
    last = np.asarray(trained.last.params["w"], float) - np.asarray(before.last.params["w"], float)
    np.testing.assert_allclose(trained.update["w"], last, rtol=1e-3, atol=1e-7)
    assert np.abs(last).max() > 1e-5


@pytest.mark.parametrize("higher", [True, False])
def test_the_parameters_of_the_best_recorded_step_are_kept(higher):
    """The risk under this rate goes up and down, so that neither end is the best step."""
    recording = Recording([weights_seen, third], 16, 1e-7, 1e3, 0, "third", higher)
    loop = trainer(linear, lambda numbers: optax.sgd(numbers["rate"]), recording)
    start = {"w": jnp.asarray([0.5, 0.5, 0.5])}
    inputs = training_inputs(start, {"rate": 0.4}, steps=20, every=2, batch=8)
    trained = run_in_pieces(Loop(jax.jit(loop.begin), jax.jit(loop.advance)), Loss(squared), inputs)
    column = np.asarray(trained.rows["third"], float)
    row = int(column.argmax() if higher else column.argmin())
    assert 0 < row < len(column) - 1
    np.testing.assert_array_equal(trained.best.params["w"], trained.rows["seen"][row])
    assert best_row(column, higher) == row


def third(snapshot):
    return {"third": snapshot.params["w"][2]}


@pytest.mark.parametrize(
    ("column", "higher", "row"),
    [
        ([1.0, 3.0, 3.0, 2.0], True, 1),  # the first of equals
        ([1.0, 3.0, 0.5, 0.5], False, 2),
        ([np.nan, -5.0, np.nan], True, 1),
        ([2.0, np.inf, -np.inf], True, 0),
        ([np.nan, -np.inf, np.inf], False, 0),  # nothing is finite: the initial point
    ],
)
def test_the_best_row_is_the_first_with_the_best_finite_value(column, higher, row):
    assert best_row(np.array(column), higher) == row
    recording = Recording([], 1, 0, 0, 0, "metric", higher)
    best = first_best(jnp.float32(0))
    for number, value in enumerate(column):
        latest = score(recording, {"metric": jnp.float32(value)})
        best = better(best, latest, jnp.float32(number))
    assert int(best.variables) == row


def layers_seen(snapshot):
    return {
        "in": snapshot.params["in"]["w"],
        "bias": snapshot.gradients["in"]["b"],
        "out": snapshot.updates["out"],
    }


@pytest.mark.parametrize("elementwise", [True, False])
def test_training_with_one_vector_is_that_of_optax_with_the_tree(elementwise):
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9))
    recording = Recording([layers_seen], 16, 1e-7, 1e3, checkpoints=2)
    loop = trainer(two_layers, lambda numbers: optimizer, recording, elementwise=elementwise)
    start = two_layers.init(jax.random.key(1))
    inputs = training_inputs(start, {}, steps=7, every=3, checkpoints=2)
    trained = run_in_pieces(Loop(jax.jit(loop.begin), jax.jit(loop.advance)), Loss(squared), inputs)

    @jax.jit
    def step(params, state, batch):
        def risk(p):
            return jnp.mean(
                squared(apply_two_layers(p, EXAMPLES.inputs[batch]), EXAMPLES.targets.values[batch])
            )

        gradients = jax.grad(risk)(params)
        updates, state = optimizer.update(gradients, state, params)
        return gradients, updates, state, optax.apply_updates(params, updates)

    params, state, path = start, optimizer.init(start), []
    for batch in inputs.order:
        gradients, updates, state, moved = step(params, state, batch)
        path.append((params, gradients, updates))
        params = moved
    close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=1e-6)
    for row, number in enumerate([0, 3, 6, 7]):
        params, gradients, updates = path[number]
        close(trained.rows["in"][row], params["in"]["w"])
        close(trained.rows["bias"][row], gradients["in"]["b"])
        close(trained.rows["out"][row], updates["out"])
    jax.tree.map(close, trained.last.params, path[7][0])
    jax.tree.map(close, trained.update, path[6][2])
    ends = jax.tree.map(lambda *leaves: np.stack(leaves), start, path[7][0])
    jax.tree.map(close, trained.checkpoints.params, ends)
