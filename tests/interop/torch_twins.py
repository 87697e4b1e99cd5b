"""Losses of PyTorch, each with its twin in jax.numpy as a user of JAX writes it, and a task."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import torch
import torch.nn.functional as F  # noqa: N812
import torch_losses
from torch import nn


class Twins(NamedTuple):
    """`only_jax` are the codes of findings that torch's own gradient avoids."""

    torch_loss: Any
    jax_loss: Any
    task: str
    only_jax: tuple[str, ...] = ()


def clipped_bce(pred, target):
    p = jnp.clip(jax.nn.sigmoid(pred), 1e-7, 1 - 1e-7)
    return -(target * jnp.log(p) + (1 - target) * jnp.log(1 - p)).mean()


def zero_one(logits, labels):
    return (jnp.argmax(logits, axis=1) != labels).astype(jnp.float32).mean()


def focal(pred, target):
    bce = optax.sigmoid_binary_cross_entropy(pred, target)
    weight = 0.25 * target + 0.75 * (1 - target)
    return (weight * (1 - jnp.exp(-bce)) ** 2 * bce).mean()


def hinge(pred, target):
    return jnp.maximum(0, 1 - pred * target).mean()


def torch_hinge(pred, target):
    return torch.relu(1 - pred * target).mean()


def rmse(pred, target):
    return jnp.sqrt(jnp.mean((pred - target) ** 2))


def rounded(pred, target):
    return ((jnp.round(pred) - target) ** 2).mean()


def pinball(pred, target):
    e = target - pred
    return jnp.maximum(0.9 * e, (0.9 - 1) * e).mean()


def log_cosh(pred, target):
    return jnp.log(jnp.cosh(pred - target)).mean()


def wing(pred, target):
    d = jnp.abs(pred - target)
    c = 2.0 * (1 - jnp.log(1 + 2.0 / 0.5))
    return jnp.where(d < 2.0, 2.0 * jnp.log(1 + d / 0.5), d - c).mean()


def charbonnier(pred, target):
    return jnp.sqrt((pred - target) ** 2 + 1e-3**2).mean()


def torch_brier(logits, labels):
    p = torch.softmax(logits, -1)
    return ((p - F.one_hot(labels, logits.shape[-1])) ** 2).sum(-1).mean()


def jax_brier(logits, labels):
    p = jax.nn.softmax(logits, -1)
    return ((p - jax.nn.one_hot(labels, logits.shape[-1])) ** 2).sum(-1).mean()


def torch_naive_bce(pred, target):
    p = 1 / (1 + torch.exp(-pred))
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def naive_bce(pred, target):
    p = 1 / (1 + jnp.exp(-pred))
    return -(target * jnp.log(p) + (1 - target) * jnp.log(1 - p)).mean()


def torch_bce_of_clamped_logits(pred, target):
    return F.binary_cross_entropy_with_logits(pred.clamp(-3, 3), target)


def bce_of_clamped_logits(pred, target):
    return optax.sigmoid_binary_cross_entropy(jnp.clip(pred, -3, 3), target).mean()


def torch_threshold(pred, target):
    return ((torch.sigmoid(pred) > 0.5).float() - target).abs().mean()


def threshold(pred, target):
    return jnp.abs((jax.nn.sigmoid(pred) > 0.5).astype(jnp.float32) - target).mean()


def torch_dice(pred, target):
    p = torch.sigmoid(pred)
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def dice(pred, target):
    p = jax.nn.sigmoid(pred)
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def torch_exponential(pred, target):
    return torch.exp(-pred * target).mean()


def exponential(pred, target):
    return jnp.exp(-pred * target).mean()


def torch_log_of_softmax(logits, labels):
    return F.nll_loss(torch.log(torch.softmax(logits, -1)), labels)


def log_of_softmax(logits, labels):
    p = jnp.log(jax.nn.softmax(logits, -1))
    return -jnp.take_along_axis(p, labels[:, None], -1).mean()


def torch_largest_error(pred, target):
    return (pred - target).abs().max(dim=-1).values.mean()


def largest_error(pred, target):
    return jnp.abs(pred - target).max(-1).mean()


def torch_distance(pred, target):
    return (pred - target).norm(dim=-1).mean()


def distance(pred, target):
    return jnp.linalg.norm(pred - target, axis=-1).mean()


def torch_absolute(pred, target):
    return torch.abs(pred - target).mean()


def torch_capped(pred, target):
    return torch.clamp((pred - target) ** 2, max=4.0).mean()


def torch_negative(pred, target):
    return -torch.square(pred - target).mean()


def negative(pred, target):
    return -jnp.mean((pred - target) ** 2)


def torch_relative(pred, target):
    return ((pred - target).abs() / target.abs()).mean()


def relative(pred, target):
    return jnp.mean(jnp.abs(pred - target) / jnp.abs(target))


def torch_truncated(pred, target):
    return (pred - target).abs().clamp(max=1.0).mean()


def truncated(pred, target):
    return jnp.clip(jnp.abs(pred - target), None, 1.0).mean()


TWINS = [
    Twins(torch_losses.clipped_bce, clipped_bce, "binary"),
    Twins(torch_losses.zero_one, zero_one, "multiclass"),
    Twins(torch_losses.FocalLoss, focal, "binary"),
    Twins(nn.BCEWithLogitsLoss(), optax.sigmoid_binary_cross_entropy, "binary"),
    Twins(torch_hinge, hinge, "binary"),
    Twins(functools.partial(F.huber_loss, delta=1.0), optax.huber_loss, "regression"),
    Twins(nn.MSELoss, optax.squared_error, "regression"),
    Twins(torch_losses.rmse, rmse, "regression"),
    Twins(torch_losses.rounded, rounded, "regression"),
    Twins(torch_losses.pinball, pinball, "regression"),
    Twins(torch_losses.log_cosh, log_cosh, "regression"),
    Twins(torch_losses.wing, wing, "regression"),
    Twins(torch_losses.charbonnier, charbonnier, "regression"),
    Twins(torch_brier, jax_brier, "multiclass"),
    Twins(torch_naive_bce, naive_bce, "binary"),
    Twins(torch_bce_of_clamped_logits, bce_of_clamped_logits, "binary"),
    Twins(torch_threshold, threshold, "binary"),
    Twins(torch_dice, dice, "segmentation"),
    Twins(torch_exponential, exponential, "binary"),
    Twins(torch_log_of_softmax, log_of_softmax, "multiclass"),
    Twins(torch_largest_error, largest_error, "regression"),
    Twins(torch_distance, distance, "regression", ("N302",)),
    Twins(torch_negative, negative, "regression"),
    Twins(torch_relative, relative, "regression"),
    Twins(torch_truncated, truncated, "regression"),
]
