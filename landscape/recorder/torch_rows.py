"""Numbers of one step of a training loop in PyTorch, on the device of the tensors.

The definitions are those of `parts/metrics` for JAX arrays: docs/definitions.md states them. Sums
are in float64, so that in float32 no gradient overflows or vanishes when it is squared.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Row = dict[str, float]
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


def gradient_norms(parameters: Sequence[Parameter], scale: float) -> Row:
    """Returns `gradient_norm/global` and per layer; gradients are divided by `scale`."""
    norms = [norm / scale for norm in _norms([_gradient(p.tensor) for p in parameters])]
    total, layers = _by_layer(parameters, norms)
    rows = {f"gradient_norm/layer/{layer}": norm for layer, norm in layers.items()}
    return {"gradient_norm/global": total} | rows


def update_ratios(parameters: Sequence[Parameter], before: Sequence[Tensor]) -> Row:
    """Returns `update_ratio`, and per layer, of the step that was taken from `before`."""
    updates = [p.tensor.detach() - b for p, b in zip(parameters, before, strict=True)]
    norms = _norms([*updates, *before])
    step, steps = _by_layer(parameters, norms[: len(updates)])
    size, sizes = _by_layer(parameters, norms[len(updates) :])
    ratios = {f"update_ratio/layer/{layer}": _ratio(steps[layer], sizes[layer]) for layer in sizes}
    return {"update_ratio": _ratio(step, size)} | ratios


def dead_parameters(parameters: Sequence[Parameter]) -> Row:
    """Returns `dead/weights`, and `dead/units` if there are weights of known layers."""
    live, live_units, size, units = [], [], 0, 0
    for parameter in parameters:
        size += parameter.tensor.numel()
        gradient = _gradient(parameter.tensor)
        axis = parameter.units
        units += 0 if axis is None else gradient.shape[axis]
        live.append(torch.count_nonzero(gradient))
        if axis is not None:
            per_unit = gradient.transpose(0, axis).flatten(1).any(dim=1)
            live_units.append(torch.count_nonzero(per_unit))
    counts = _values([*live, *live_units])
    fractions = {"dead/weights": (size - sum(counts[: len(live)])) / size}
    if units:
        fractions["dead/units"] = (units - sum(counts[len(live) :])) / units
    return fractions


def predictions_row(loss: Callable[..., Tensor], predictions: Tensor, targets: object) -> Row:
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
    live = torch.zeros_like(leaf) if slopes is None else slopes
    examples = torch.count_nonzero(live.reshape(len(live), -1).any(dim=1))
    numbers = _values([values.detach().mean(), examples, torch.count_nonzero(live)])
    return {
        "risk/batch": numbers[0],
        "dead/examples": (len(live) - numbers[1]) / len(live),
        "dead/components": (live.numel() - numbers[2]) / live.numel(),
    }


def _by_layer(
    parameters: Sequence[Parameter], norms: Sequence[float]
) -> tuple[float, dict[str, float]]:
    """Returns the norm of all entries, and that of each layer, from those of the parameters."""
    layers: dict[str, list[float]] = {}
    for parameter, norm in zip(parameters, norms, strict=True):
        layers.setdefault(parameter.layer, []).append(norm)
    return _joined(norms), {layer: _joined(parts) for layer, parts in layers.items()}


def _joined(norms: Sequence[float]) -> float:
    """Returns the norm of all entries from the norms of parts; NaN if one of them is NaN."""
    return math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)


def _ratio(numerator: float, denominator: float) -> float:
    if numerator == 0 or denominator == 0:
        return 0.0 if numerator == 0 else math.inf
    return numerator / denominator


def _norms(tensors: Sequence[Tensor]) -> list[float]:
    norms = [torch.linalg.vector_norm(t, dtype=_wide(t)) for t in tensors]
    return _values(norms)


def _values(scalars: Sequence[Tensor]) -> list[float]:
    """Returns scalars, which may be on several devices, as numbers; waits for a device once."""
    first = scalars[0]
    values = torch.stack([scalar.to(first.device, _wide(first)) for scalar in scalars]).tolist()
    return [float(value) for value in values]


def _gradient(parameter: Tensor) -> Tensor:
    """Returns the gradient of a parameter, zeros if it has none."""
    gradient = parameter.grad
    if gradient is None:
        return torch.zeros_like(parameter)
    return gradient.to_dense() if gradient.is_sparse else gradient


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.device.type == "mps" else torch.float64  # MPS has no float64
