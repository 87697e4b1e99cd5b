"""What cannot be replayed is rejected at its line, with what to write instead."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

from torch import nn  # noqa: E402

from landscape.errors import UserError  # noqa: E402
from landscape.interop import agreement, replay  # noqa: E402
from landscape.interop.torch_recognition import adapted  # noqa: E402


def masked(pred, target):
    return torch.square(pred[pred > target]).mean()  # the line


def with_item(pred, target):
    return torch.mean(pred - target) / pred.abs().max().item()  # the line


def with_if(pred, target):
    if torch.sum(pred) > 0:  # the line
        return (pred - target).mean()
    return (pred + target).mean()


def in_numpy(pred, target):
    return torch.mean(pred) * float(np.mean(pred.detach().numpy()))  # the line


def with_noise(pred, target):
    return torch.mean(pred + torch.randn_like(pred) - target)  # the line


def with_dropout(pred, target):
    return torch.mean(nn.functional.dropout(pred) - target)  # the line


def python_noise(pred, target):
    return torch.mean(pred - target) * random.random()


def on_gpu(pred, target):
    return torch.mean(pred.cuda() - target)  # the line


def in_place(pred, target):
    torch.relu_(pred)  # the line
    return (pred - target).mean()


def in_half(pred, target):
    return torch.mean(pred.half() - target)  # the line


def with_bits(pred, target):
    return torch.mean(pred * (target & 1))  # the line


def with_one_hot(pred, target):
    chosen = nn.functional.one_hot(target, 2)  # the line
    return torch.mean(pred[..., None] * chosen)


def with_labels(pred, target):
    return torch.mean(pred * torch.arange(2.0)[target])  # the line


def raising(pred, target):
    pred = torch.relu(pred)
    raise ValueError("targets must be masks")  # the line


def unusual(pred, target):
    return torch.linalg.svdvals(pred).sum()  # the line


@pytest.mark.parametrize(
    ("loss", "message", "hint"),
    [
        (masked, "selects elements", "mask.sum()"),
        (with_item, "takes a Python value", "without .item()"),
        (with_if, "takes a Python value", "`if`"),
        (in_numpy, "NumPy", "torch operations"),
        (with_noise, "random numbers", "fixed numbers"),
        (with_dropout, "random numbers", "fixed numbers"),
        (on_gpu, "GPU", ".cuda()"),
        (in_place, "in place", "new tensor"),
        (in_half, "half precision", "autocast"),
        (with_bits, "where torch takes integers", "target.long()"),
        (with_one_hot, "where torch takes integers", "target.long()"),
        (with_labels, "where torch takes integers", "target.long()"),
        (raising, "raises ValueError: targets must be masks", None),
        (unusual, "has no counterpart", "other torch operations"),
    ],
)
def test_rejected_at_its_line(loss, message, hint):
    with pytest.raises(UserError) as caught:
        adapted(loss)(np.ones((3, 2), np.float32), np.ones((3, 2), np.float32))
    assert message in caught.value.message
    assert hint is None or hint in caught.value.hint
    assert caught.value.place.file == __file__
    assert caught.value.place.text.endswith("# the line")


def test_a_random_loss_is_rejected():
    with pytest.raises(UserError, match="random"):
        adapted(python_noise)(np.ones(3, np.float32), np.ones(3, np.float32))


def test_a_rule_that_is_wrong_at_a_kink_is_rejected(monkeypatch):
    def shrunk(pred, target):
        return torch.sign(pred - target).mean() + (pred - target).mean()

    monkeypatch.setitem(replay.RULES, "sign", lambda x: jnp.where(x >= 0, 1.0, -1.0))
    with pytest.raises(UserError, match="differ from those of torch"):
        adapted(shrunk)(np.ones(3, np.float32), np.ones(3, np.float32))


def test_torch_is_left_as_it_was():
    def seeds_and_settings(pred, target):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        return torch.mean(pred - target)

    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.no_grad():
        adapted(seeds_and_settings)(np.ones(3, np.float32), np.ones(3, np.float32))
        assert not torch.is_grad_enabled()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert not torch.is_anomaly_enabled()


def test_the_check_raises_where_a_gradient_differs():
    a, b = np.array([1.0, np.nan]), np.array([1.0, 2.0])
    assert not agreement._agree(a, b)
    assert agreement._agree(a, a)


def test_an_array_passed_by_name_is_an_input():
    def scaled(pred, target, scale):
        return scale * torch.mean(pred - target)

    x = np.ones(3, np.float32)
    value = jax.jit(adapted(scaled))(x, 0 * x, scale=jnp.full((), 2.0))
    np.testing.assert_allclose(value, 2.0)
