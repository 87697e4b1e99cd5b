import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape.errors import UserError
from landscape.parts import optimizers

MENU = {
    name: function
    for name, function in inspect.getmembers(optimizers, inspect.isfunction)
    if not name.startswith("_") and function.__module__ == optimizers.__name__
}
MATRIX = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
START = np.array([1.0, -2.0, 0.5])
STEPS = 5


def _gradient(p):
    return MATRIX @ p


def _trajectory(optimizer, start=START, steps=STEPS):
    params = jnp.asarray(start, jnp.float32)
    state = optimizer.init(params)
    found = []
    for _ in range(steps):
        gradients = jnp.asarray(MATRIX, jnp.float32) @ params
        updates, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
        found.append(np.asarray(params))
    return np.array(found)


# The published rules, one loop each, in float64: (p, memory, rate, step t from 1) -> (p, memory).


def _sgd(p, v, rate, _, momentum=0.9, nesterov=False, weight_decay=0.0):
    g = _gradient(p) + weight_decay * p
    v = momentum * v + g
    return p - rate * (g + momentum * v if nesterov else v), v


def _adam(p, memory, rate, t, b1=0.9, b2=0.999, epsilon=1e-8, coupled=0.0, decoupled=0.0):
    g = _gradient(p) + coupled * p
    m = b1 * memory[0] + (1 - b1) * g
    v = b2 * memory[1] + (1 - b2) * g**2
    step = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)
    return p - rate * (step + decoupled * p), np.stack([m, v])


def _rmsprop(p, v, rate, _, decay=0.9, epsilon=1e-8, weight_decay=0.0):
    g = _gradient(p) + weight_decay * p
    v = decay * v + (1 - decay) * g**2
    return p - rate * g / (np.sqrt(v) + epsilon), v


def _lion(p, m, rate, _, b1=0.9, b2=0.99, weight_decay=0.0):
    g = _gradient(p)
    step = np.sign(b1 * m + (1 - b1) * g) + weight_decay * p
    return p - rate * step, b2 * m + (1 - b2) * g


def _reference(rule, memory, rates, **options):
    p, found = START, []
    for t, rate in enumerate(rates, start=1):
        p, memory = rule(p, memory, rate, t, **options)
        found.append(p)
    return np.array(found)


ONE, TWO = np.zeros(3), np.zeros((2, 3))
CASES = [
    ("sgd", {}, _sgd, ONE, {}),
    ("sgd", {"momentum": 0.0}, _sgd, ONE, {"momentum": 0.0}),
    ("sgd", {"nesterov": True}, _sgd, ONE, {"nesterov": True}),
    ("sgd", {"weight_decay": 0.3}, _sgd, ONE, {"weight_decay": 0.3}),
    (
        "sgd",
        {"nesterov": True, "momentum": 0.8, "weight_decay": 0.3},
        _sgd,
        ONE,
        {"nesterov": True, "momentum": 0.8, "weight_decay": 0.3},
    ),
    ("adam", {}, _adam, TWO, {}),
    ("adam", {"weight_decay": 0.3}, _adam, TWO, {"coupled": 0.3}),
    (
        "adam",
        {"b1": 0.5, "b2": 0.6, "epsilon": 0.1},
        _adam,
        TWO,
        {"b1": 0.5, "b2": 0.6, "epsilon": 0.1},
    ),
    ("adamw", {}, _adam, TWO, {"decoupled": 0.01}),
    (
        "adamw",
        {"b1": 0.5, "b2": 0.6, "epsilon": 0.1, "weight_decay": 0.3},
        _adam,
        TWO,
        {"b1": 0.5, "b2": 0.6, "epsilon": 0.1, "decoupled": 0.3},
    ),
    ("rmsprop", {}, _rmsprop, ONE, {}),
    (
        "rmsprop",
        {"decay": 0.5, "epsilon": 0.5, "weight_decay": 0.3},
        _rmsprop,
        ONE,
        {"decay": 0.5, "epsilon": 0.5, "weight_decay": 0.3},
    ),
    ("lion", {}, _lion, ONE, {}),
    (
        "lion",
        {"b1": 0.3, "b2": 0.6, "weight_decay": 0.3},
        _lion,
        ONE,
        {"b1": 0.3, "b2": 0.6, "weight_decay": 0.3},
    ),
]


def test_every_optimizer_has_a_published_rule_with_weight_decay():
    assert {name for name, options, *_ in CASES if "weight_decay" in options} == set(MENU)


@pytest.mark.parametrize(("name", "options", "rule", "memory", "rule_options"), CASES)
def test_follows_the_published_rule(name, options, rule, memory, rule_options):
    # A rate this large throws parameters across zero and back, so that memory shows in signs.
    found = _trajectory(MENU[name](0.6, **options))
    expected = _reference(rule, memory, [0.6] * STEPS, **rule_options)
    # 1 - 0.999 has only four digits in float32.
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=5e-5)


@pytest.mark.parametrize(
    ("name", "rule", "memory", "rule_options"),
    [
        ("sgd", _sgd, ONE, {}),
        ("adam", _adam, TWO, {}),
        ("adamw", _adam, TWO, {"decoupled": 0.01}),
        ("rmsprop", _rmsprop, ONE, {}),
        ("lion", _lion, ONE, {}),
    ],
)
def test_follows_a_schedule_counted_from_zero(name, rule, memory, rule_options):
    found = _trajectory(MENU[name](lambda count: 0.05 / (count + 1.0)))
    expected = _reference(rule, memory, [0.05 / t for t in range(1, STEPS + 1)], **rule_options)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", MENU)
def test_step_two_does_not_recompile(name):
    optimizer = MENU[name](weight_decay=0.1)
    traces = []

    @jax.jit
    def step(params, state):
        traces.append(1)
        gradients = jax.tree.map(lambda p: 2 * p, params)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = {"weight": jnp.ones((3, 2)), "bias": jnp.full(3, 1.5, jnp.float32)}
    state = optimizer.init(params)
    for _ in range(3):
        params, state = step(params, state)
    assert len(traces) == 1
    assert jax.tree.map(lambda p: p.dtype, params) == {
        "weight": jnp.float32,
        "bias": jnp.float32,
    }
    assert all(bool(jnp.all(jnp.abs(p) < 1.5)) for p in jax.tree.leaves(params))


@pytest.mark.parametrize("name", MENU)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_every_optimizer_treats_a_tree_as_the_vector_of_its_entries(name, clip_norm):
    """Training relies on it: see `elementwise` of `numerics.train.trainer`."""
    optimizer = MENU[name](optax.exponential_decay(0.1, 2, 0.5), weight_decay=0.3)
    if clip_norm is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(clip_norm), optimizer)

    def path(params):
        def step(carry, scale):
            params, state = carry
            gradients = jax.tree.map(lambda p: scale * (p**2 - 1), params)
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), params

        scales = jnp.asarray([1.0, -2.0, 0.5], jnp.float64)
        return jax.lax.scan(step, (params, optimizer.init(params)), scales)[1]

    with jax.enable_x64(True):
        weight = jnp.asarray(MATRIX[:2], jnp.float64)
        bias = jnp.asarray([1e-3, -1e3], jnp.float64)
        trees = jax.jit(path)({"bias": bias, "weight": weight})
        vectors = jax.jit(path)(jnp.concatenate([bias, weight.ravel()]))
    joined = np.concatenate([trees["bias"], trees["weight"].reshape(3, -1)], axis=1)
    np.testing.assert_allclose(vectors, joined, rtol=1e-12)


@pytest.mark.parametrize("name", MENU)
def test_every_default_reduces_a_quadratic(name):
    path = _trajectory(MENU[name](), steps=50)
    assert path[-1] @ MATRIX @ path[-1] < START @ MATRIX @ START


@pytest.mark.parametrize("name", MENU)
def test_every_number_can_be_traced(name):
    first_step = jax.jit(lambda rate, decay: _first_step(MENU[name](rate, weight_decay=decay)))
    found = first_step(jnp.float32(0.05), jnp.float32(0.3))
    expected = _trajectory(MENU[name](0.05, weight_decay=0.3), steps=1)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def _first_step(optimizer):
    params = jnp.asarray(START, jnp.float32)
    gradients = jnp.asarray(MATRIX, jnp.float32) @ params
    return params + optimizer.update(gradients, optimizer.init(params), params)[0]


@pytest.mark.parametrize("name", MENU)
@pytest.mark.parametrize("value", [-1e-3, float("nan"), float("inf"), "0.1", True, None])
def test_refuses_a_bad_learning_rate_and_weight_decay(name, value):
    with pytest.raises(UserError, match="`learning_rate`"):
        MENU[name](value)
    with pytest.raises(UserError, match="`weight_decay`"):
        MENU[name](0.1, weight_decay=value)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, float("nan"), "0.9"])
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("sgd", "momentum"),
        ("adam", "b1"),
        ("adam", "b2"),
        ("adamw", "b1"),
        ("adamw", "b2"),
        ("rmsprop", "decay"),
        ("lion", "b1"),
        ("lion", "b2"),
    ],
)
def test_refuses_a_fraction_of_one_or_more(name, option, value):
    with pytest.raises(UserError, match=f"`{option}`"):
        MENU[name](**{option: value})


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop"])
def test_refuses_a_negative_epsilon(name):
    with pytest.raises(UserError, match="`epsilon`"):
        MENU[name](epsilon=-1e-8)


def test_refuses_nesterov_without_momentum():
    with pytest.raises(UserError, match="nesterov"):
        optimizers.sgd(momentum=0.0, nesterov=True)


def test_a_learning_rate_of_zero_is_refused_with_the_reason():
    with pytest.raises(UserError, match="expected a number greater than 0") as caught:
        optimizers.sgd(learning_rate=0.0)
    assert "changes no parameter" in caught.value.hint
