"""Numbers of one step of a training loop in PyTorch, on the device of the tensors.

The definitions are those of `parts/metrics` for JAX arrays: docs/definitions.md states them. Sums
are in float64, so that in float32 no gradient overflows or vanishes when it is squared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Scalars = dict[str, Tensor]
# What wrappers put before the names of parameters: DataParallel and torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")
_UNITS_FIRST = (
    torch.nn.Linear,
    torch.nn.Bilinear,
    torch.nn.Conv1d,
    torch.nn.Conv2d,
    torch.nn.Conv3d,
)
_TRANSPOSED = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


class Parameter(NamedTuple):
    """A parameter that is trained; `layer` is its path without the last part.

    `units` is the axis that counts the output units of a weight of a known kind of layer, None for
    biases, normalization parameters and unknown layers.
    """

    layer: str
    tensor: Tensor
    units: int | None


def parameters_of(module: torch.nn.Module) -> list[Parameter]:
    """Returns the parameters that require a gradient, each once."""
    axes = _unit_axes(module)
    return [
        Parameter(_layer(name), tensor, axes.get(id(tensor)))
        for name, tensor in module.named_parameters()
        if tensor.requires_grad
    ]


def _layer(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    steps = name.replace("._orig_mod.", ".").split(".")
    return "/".join(steps[:-1] or steps)


def _unit_axes(module: torch.nn.Module) -> dict[int, int]:
    """Returns the axis of the output units by the identity of each weight."""
    axes = {}
    for layer in module.modules():
        if isinstance(layer, _UNITS_FIRST):
            axes[id(layer.weight)] = 0
        elif isinstance(layer, torch.nn.Embedding) or (
            isinstance(layer, _TRANSPOSED) and layer.groups == 1
        ):
            axes[id(layer.weight)] = 1
        elif isinstance(layer, torch.nn.MultiheadAttention) and layer.in_proj_weight is not None:
            axes[id(layer.in_proj_weight)] = 0
    return axes


def gradient_norms(parameters: Sequence[Parameter], scale: float) -> Scalars:
    """Returns `gradient_norm/global` and per layer; gradients are divided by `scale`."""
    layers = _layer_norms(parameters, [_dense(p.tensor.grad) for p in parameters])
    norms = {f"gradient_norm/layer/{layer}": norm / scale for layer, norm in layers.items()}
    return {"gradient_norm/global": _joined(layers.values()) / scale} | norms


def update_ratios(parameters: Sequence[Parameter], before: Sequence[Tensor]) -> Scalars:
    """Returns `update_ratio`, and per layer, of the step that was taken from `before`."""
    updates = [p.tensor.detach() - b for p, b in zip(parameters, before, strict=True)]
    steps, sizes = _layer_norms(parameters, updates), _layer_norms(parameters, before)
    ratios = {
        f"update_ratio/layer/{layer}": _ratio(steps[layer], size) for layer, size in sizes.items()
    }
    return {"update_ratio": _ratio(_joined(steps.values()), _joined(sizes.values()))} | ratios


def dead_parameters(parameters: Sequence[Parameter]) -> Scalars:
    """Returns `dead/weights`, and `dead/units` if there are weights of known layers."""
    dead, units, size, count = [], [], 0, 0
    for parameter in parameters:
        size += parameter.tensor.numel()
        gradient = _dense(parameter.tensor.grad)
        zero = _zero(gradient, parameter.tensor)
        dead.append(zero.sum())
        if parameter.units is not None:
            rows = zero.movedim(parameter.units, 0).flatten(1)
            units.append(rows.all(dim=1).sum())
            count += len(rows)
    fractions = {"dead/weights": _total(dead) / size}
    return fractions | ({"dead/units": _total(units) / count} if count else {})


def predictions_row(loss: Callable[..., Tensor], predictions: Tensor, targets: object) -> Scalars:
    """Returns `risk/batch`, `dead/examples` and `dead/components` from the loss alone.

    The loss is evaluated once more on a copy of the predictions, in float32 or float64. The state
    of the random numbers is restored.
    """
    leaf = predictions.detach()
    leaf = (leaf if leaf.dtype == torch.float64 else leaf.float()).clone().requires_grad_()
    device = leaf.device.type
    with (
        torch.random.fork_rng([leaf.device] if device == "cuda" else []),
        torch.autocast(device, enabled=False),
        torch.enable_grad(),
    ):
        values = loss(leaf, targets)
        slopes = None
        if values.requires_grad:
            (slopes,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
    zero = _zero(slopes, leaf)
    return {
        "risk/batch": values.detach().mean(),
        "dead/examples": _share(zero.reshape(len(zero), -1).all(dim=1)),
        "dead/components": _share(zero),
    }


def numbers(scalars: Mapping[str, Tensor]) -> dict[str, float]:
    """Returns scalars as numbers; waits for the device once."""
    values = torch.stack(_together([*scalars.values()])).tolist()
    return dict(zip(scalars, values, strict=True))


def _layer_norms(
    parameters: Sequence[Parameter], tensors: Sequence[Tensor | None]
) -> dict[str, Tensor]:
    layers: dict[str, list[Tensor]] = {}
    for parameter, tensor in zip(parameters, tensors, strict=True):
        norm = _norm(parameter.tensor.new_zeros(1) if tensor is None else tensor)
        layers.setdefault(parameter.layer, []).append(norm)
    return {layer: _joined(norms) for layer, norms in layers.items()}


def _norm(tensor: Tensor) -> Tensor:
    return torch.linalg.vector_norm(tensor.detach(), dtype=_wide(tensor))


def _joined(norms: Iterable[Tensor]) -> Tensor:
    """Returns the norm of all entries from the norms of parts, which may be on several devices."""
    return torch.linalg.vector_norm(torch.stack(_together([*norms])))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(numerator == 0, torch.zeros_like(numerator), numerator / denominator)


def _dense(gradient: Tensor | None) -> Tensor | None:
    return gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient


def _zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    """Returns where a gradient is exactly zero: everywhere if there is none."""
    return torch.ones_like(like, dtype=torch.bool) if gradient is None else gradient == 0


def _share(condition: Tensor) -> Tensor:
    return condition.sum().to(_wide(condition)) / condition.numel()


def _total(counts: Sequence[Tensor]) -> Tensor:
    return torch.stack(_together(counts)).sum()


def _together(scalars: Sequence[Tensor]) -> list[Tensor]:
    """Returns scalars on one device, in the widest type that it has."""
    device = scalars[0].device
    return [scalar.to(device, _wide(scalars[0])) for scalar in scalars]


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.device.type == "mps" else torch.float64  # MPS has no float64
