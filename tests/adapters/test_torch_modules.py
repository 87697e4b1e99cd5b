"""Modules of torch as functions of their parameters, against torch itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

from torch import nn  # noqa: E402

from landscape import adapters  # noqa: E402
from landscape.errors import UserError  # noqa: E402
from landscape.interop import replay  # noqa: E402
from landscape.parts.directions import Point, random  # noqa: E402


class Net(nn.Module):
    """Flattens by the size of the batch, as many modules do."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(4, 4, 3, groups=4, bias=False),
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 3 * 2, 2)

    def forward(self, x):
        return self.head(self.dropout(self.features(x).view(x.size(0), -1)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(7, 8)
        self.register_buffer("positions", torch.randn(5, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        hidden = self.tokens(x) + self.positions[: x.size(1)]
        return self.head(self.encoder(hidden).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cells = kind(4, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def trained(build):
    """A module in evaluation mode whose statistics and biases are not those of initialization."""
    torch.manual_seed(0)
    module = build()
    for _, part in module.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval()


CASES = {
    "cnn": (Net, lambda n: draw(n, 3, 10, 8)),
    "transformer": (Encoder, lambda n: torch.arange(4 * n).reshape(n, 4) % 7),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda n: draw(n, 3, 4)),
    "gru": (lambda: Recurrent(nn.GRU), lambda n: draw(n, 2, 4)),
}


def risk_in_torch(module, values, inputs):
    predictions = torch.func.functional_call(module, values, (inputs,))
    targets = torch.cos(torch.arange(predictions.numel())).view_as(predictions)
    return (predictions - targets).square().mean()


def risk_in_jax(adapted, inputs):
    def risk(params):
        predictions = adapted.apply(params, inputs)
        targets = jnp.cos(jnp.arange(predictions.size)).reshape(predictions.shape)
        return jnp.mean(jnp.square(predictions - targets))

    return risk


@pytest.mark.parametrize("name", CASES)
def test_risk_and_gradient_are_those_of_torch_at_random_points_for_every_batch_size(name):
    build, batch = CASES[name]
    module = trained(build)
    adapted = adapters.torch(module, batch(3))
    generator = torch.Generator().manual_seed(1)
    for size in (3, 2):
        inputs = batch(size)
        program = jax.jit(jax.value_and_grad(risk_in_jax(adapted, jnp.asarray(inputs.numpy()))))
        for _ in range(2):
            values = {
                n: (p + 0.1 * torch.randn(p.shape, generator=generator)).detach().requires_grad_()
                for n, p in module.named_parameters()
            }
            risk = risk_in_torch(module, values, inputs)
            risk.backward()
            arrays = {n: jnp.asarray(v.detach().numpy()) for n, v in values.items()}
            value, gradient = program(arrays)
            np.testing.assert_allclose(value, risk.item(), rtol=1e-6)
            for n, expected in values.items():
                largest = float(expected.grad.abs().max())
                np.testing.assert_allclose(
                    gradient[n], expected.grad.numpy(), rtol=1e-5, atol=1e-5 * largest, err_msg=n
                )


def test_derivatives_of_second_order_and_along_a_direction_are_those_of_torch():
    module = trained(Net)
    inputs = draw(2, 3, 10, 8)
    adapted = adapters.torch(module, inputs)
    names = list(adapted.params)
    vector = {
        n: np.cos(np.arange(p.size, dtype=np.float32)).reshape(p.shape)
        for n, p in adapted.params.items()
    }
    tensors = tuple(dict(module.named_parameters())[n].detach().clone() for n in names)
    along = tuple(torch.from_numpy(vector[n]) for n in names)

    def predict(*values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (inputs,))

    def risk(*values):
        return risk_in_torch(module, dict(zip(names, values, strict=True)), inputs)

    images = jnp.asarray(inputs.numpy())
    ours = jax.jit(
        lambda p, v: (
            jax.jvp(lambda q: adapted.apply(q, images), (p,), (v,))[1],
            jax.jvp(jax.grad(risk_in_jax(adapted, images)), (p,), (v,))[1],
        )
    )(adapted.params, vector)
    pushed = torch.autograd.functional.jvp(predict, tensors, along)[1]
    products = torch.autograd.functional.hvp(risk, tensors, along)[1]
    np.testing.assert_allclose(ours[0], pushed.numpy(), rtol=1e-4, atol=1e-5)
    for n, product in zip(names, products, strict=True):
        scale = float(product.abs().max())
        np.testing.assert_allclose(ours[1][n], product.numpy(), rtol=1e-4, atol=1e-5 * scale)


def test_the_state_holds_statistics_and_frozen_parameters_and_the_module_stays_as_it_is():
    module = trained(Net)
    module.features[0].weight.requires_grad_(False)
    before = {n: t.clone() for n, t in module.state_dict().items()}
    adapted = adapters.torch(module, draw(2, 3, 10, 8))
    assert adapted.description == "torch Net (experimental), evaluation mode"
    statistics = {"features.1.running_mean", "features.1.running_var"}
    assert set(adapted.state) == {"features.0.weight", *statistics}
    assert set(adapted.params) == set(dict(module.named_parameters())) - set(adapted.state)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not module.training and module.features[1].weight.grad is None
    other = adapted.state | {
        "features.1.running_mean": adapted.state["features.1.running_mean"] + 1
    }
    inputs = draw(2, 3, 10, 8)
    module.features[1].running_mean += 1
    np.testing.assert_allclose(
        adapted.apply(adapted.params, jnp.asarray(inputs.numpy()), other),
        module(inputs).detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("operation", "what", "wrong"),
    [
        ("addmm", "predictions", lambda bias, x, y: (bias + x @ y) * (1 + 1e-5)),
        ("mm", "gradients", lambda x, y: (x @ y) * (1 + 1e-4)),
    ],
)
def test_a_replay_that_differs_from_torch_is_rejected(operation, what, wrong, monkeypatch):
    monkeypatch.setitem(replay.RULES, operation, wrong)
    with pytest.raises(UserError, match=f"its {what} differ from those of torch.*addmm"):
        adapters.torch(nn.Linear(4, 2).eval(), draw(3, 4))


# By name: the layer, its inputs, the axis of the units in the predictions, and of the filters.
LAYERS = {
    "dense": (lambda: nn.Linear(4, 3), draw(5, 4), 1, 0),
    "conv": (lambda: nn.Conv2d(2, 3, 3), draw(2, 2, 5, 5), 1, 0),
    "depthwise": (lambda: nn.Conv2d(2, 4, 3, groups=2), draw(2, 2, 5, 5), 1, 0),
    "embedding": (lambda: nn.Embedding(5, 3), torch.tensor([[0, 2], [4, 1]]), 2, 1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_rescaled_filters_rescale_the_filter_normalized_slice(name):
    """The rescaling law of Li et al. 2018, as in test_rescaling.py."""
    build, inputs, output_axis, axis = LAYERS[name]
    torch.manual_seed(0)
    adapted = adapters.torch(build().eval(), inputs)
    assert [a for a in adapted.filter_axes.values() if a is not None] == [axis]
    factors = 2.0 ** np.arange(adapted.params["weight"].shape[axis])

    def scaled(array, along):
        shape = [1] * array.ndim
        shape[along] = -1
        return array * np.reshape(factors, shape).astype(np.float32)

    def predictions(params):
        point = Point(params, adapted.filter_axes)
        direction = random()(jax.random.key(3), point)
        moved = {n: p + 0.4 * direction[n] for n, p in params.items()}
        return np.maximum(adapted.apply(moved, jnp.asarray(inputs.numpy())), 0)

    rescaled = {n: scaled(p, axis if n == "weight" else 0) for n, p in adapted.params.items()}
    before, after = map(predictions, (adapted.params, rescaled))
    assert np.std(before) > 0.05
    np.testing.assert_allclose(after, scaled(before, output_axis), rtol=1e-5, atol=1e-5)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.head(x)
        return hidden if hidden.sum() > 0 else -hidden


class Fixed(Branching):
    def forward(self, x):
        return self.head(x.view(3, 4))


class Unsupported(Branching):
    def forward(self, x):
        return torch.linalg.eigvalsh(self.head(x).T @ self.head(x))


class OwnWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.ones(4, 3))

    def forward(self, x):
        return x @ self.table


def at_another_size():
    adapted = adapters.torch(Fixed().eval(), draw(3, 4))
    return adapted.apply(adapted.params, jnp.ones((2, 4)))


def in_training():
    adapted = adapters.torch(trained(Net), draw(2, 3, 10, 8))
    return adapted.training.apply(adapted.params, jnp.ones((2, 3, 10, 8)), adapted.state, None)


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (lambda: adapters.torch(nn.Linear, draw(2, 4)), "not its class Linear", "module.eval()"),
        (
            lambda: adapters.torch(nn.Linear(4, 2), draw(2, 4)),
            "in training mode: `Linear`",
            "call `module.eval()`",
        ),
        (
            lambda: adapters.torch(nn.Sequential(nn.Dropout()).train(), draw(2, 4)),
            "in training mode: `Sequential`",
            "call `module.eval()`",
        ),
        (
            lambda: adapters.torch(nn.Linear(4, 2).eval(), "images"),
            "`example_inputs` is str, expected a tensor",
            "a batch as the module takes it",
        ),
        (
            lambda: adapters.torch(nn.Linear(4, 2).eval(), draw(2, 5)),
            r"`Linear` with inputs of shape \(2, 5\) raises RuntimeError",
            None,
        ),
        (
            lambda: adapters.torch(nn.Linear(4, 2).eval().requires_grad_(False), draw(2, 4)),
            "no parameter of `Linear` requires a gradient",
            "requires_grad_",
        ),
        (lambda: adapters.torch(Branching().eval(), draw(3, 4)), "takes a Python value", None),
        (lambda: adapters.torch(Unsupported().eval(), draw(3, 4)), "aten::_?linalg_eigh", None),
        (
            lambda: adapters.torch(OwnWeight().eval(), draw(3, 4)),
            r"not known for `table` \(4, 3\)",
            'filter_axes="last"',
        ),
        (
            at_another_size,
            r"`Fixed` with inputs of shape \(2, 4\) raises RuntimeError",
            None,
        ),
        (in_training, "in evaluation mode only", "train it with torch"),
    ],
)
def test_a_module_that_cannot_be_adapted_is_rejected_with_advice(call, message, hint):
    with pytest.raises(UserError, match=message) as raised:
        call()
    assert hint is None or hint in raised.value.hint
