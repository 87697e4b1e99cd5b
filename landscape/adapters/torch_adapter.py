"""The adapter for PyTorch (experimental)."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from landscape.adapters.adapted_model import (
    AdaptedModel,
    adapted_model,
    check_instance,
    missing_package,
)
from landscape.errors import UserError
from landscape.parts.models._adapters.filter_axes import Choice
from landscape.parts.models._adapters.module_calls import ModuleCalls

PyTree = Any


def torch(module: Any, example_inputs: Any, *, filter_axes: Choice = None) -> AdaptedModel:
    """Returns a trained `torch.nn.Module` as a function `apply(params, inputs)`. Experimental.

    The operations of the module in evaluation mode are recorded and replayed in JAX, with torch's
    own gradient, once per shape of the inputs. `example_inputs` is a batch as the module takes it,
    or a tuple of its arguments. Parameters that require a gradient are the parameters; the others
    and the statistics of batch normalization are the state; further buffers are constants.
    `filter_axes` states the axes of weights of layers that are not known: `first`, `last`, or a
    function of the parameters.

    The replay is compared with torch in float64 around the trained point. Raises UserError if the
    module is in training mode, if an operation cannot be replayed, if predictions differ by more
    than 1e-6 or gradients by more than 1e-5, or if the axes of a weight are not known.
    """
    try:
        import torch as library
    except ImportError:
        raise missing_package("torch", "torch") from None
    from landscape.interop.torch_module import ModuleFunction

    example = "adapters.torch(module.eval(), example_inputs)"
    check_instance(module, library.nn.Module, "torch", example)
    _check_evaluation(module)
    tensors = _tensors(example_inputs)
    trained = [name for name, p in module.named_parameters() if p.requires_grad]
    if not trained:
        raise UserError(
            f"no parameter of `{type(module).__name__}` requires a gradient",
            hint="call `module.requires_grad_(True)` for those that were trained",
        )
    state_names = [name for name, p in module.named_parameters() if not p.requires_grad]
    state_names += _statistics(module)
    function = ModuleFunction(module, trained, state_names, tensors)
    params, state = function.arrays()
    inputs = tuple(jax.ShapeDtypeStruct(t.shape, jnp.asarray(t.numpy()).dtype) for t in tensors)
    jax.eval_shape(function, params, state, inputs)  # records it, and checks the record

    def evaluate(params: PyTree, inputs: Any, state: PyTree) -> Any:
        return function(params, dict(state), inputs)

    known = dict(_known_axes(module, set(trained)))
    return adapted_model(
        ModuleCalls(evaluate, train=_no_training if state else None),
        params,
        state,
        lambda params: known,
        filter_axes,
        f"torch {type(module).__name__} (experimental)",
    )


def _check_evaluation(module: Any) -> None:
    for path, part in module.named_modules():
        if part.training:
            where = f"`{path}` ({type(part).__name__})" if path else f"`{type(part).__name__}`"
            raise UserError(
                f"the module is in training mode: {where}, in which dropout and batch "
                "normalization depend on chance and on the batch",
                hint="call `module.eval()`",
            )


def _tensors(example_inputs: Any) -> tuple[Any, ...]:
    """Returns example inputs as tensors."""
    import torch as library

    values = example_inputs if isinstance(example_inputs, tuple | list) else (example_inputs,)
    if any(isinstance(value, Mapping) for value in values):
        message = "`example_inputs` is a mapping, expected a batch or a tuple of arguments"
        raise UserError(message, hint="wrap the module in one that takes them by position")
    try:
        return tuple(library.as_tensor(value).detach().cpu() for value in values)
    except (TypeError, ValueError, RuntimeError):
        kinds = ", ".join(type(value).__name__ for value in values)
        raise UserError(
            f"`example_inputs` is {kinds}, expected a tensor or a tuple of tensors",
            hint="pass a batch as the module takes it, such as `next(iter(loader))[0]`",
        ) from None


def _statistics(module: Any) -> list[str]:
    """Returns the names of the running statistics of normalization layers."""
    names = [name for name, _ in module.named_buffers()]
    return [n for n in names if n.rpartition(".")[2] in ("running_mean", "running_var")]


def _no_training(*_: Any) -> Any:
    raise UserError(
        "a module of torch is replayed in evaluation mode only",
        hint="train it with torch, and look at the trained module",
    )


def _known_axes(module: Any, trained: set[str]) -> Iterator[tuple[str, int | None]]:
    """Yields the trained tensors of known layers, with the axis of their filters."""
    for prefix, layer in module.named_modules():
        for name, tensor in layer.named_parameters(recurse=False):
            path = f"{prefix}.{name}" if prefix else name
            axes = _axes_of_layer(layer)
            if path in trained and axes is not None:
                is_weight = tensor.ndim > 1 and "bias" not in name
                yield path, axes if is_weight and axes >= 0 else None


def _axes_of_layer(layer: Any) -> int | None:
    """Returns the axis of the filters of the weights of a layer; -1 if they have none.

    None for an unknown layer.
    """
    from torch import nn

    norms = (
        nn.modules.batchnorm._NormBase,
        nn.LayerNorm,
        nn.GroupNorm,
        nn.RMSNorm,
        nn.PReLU,
    )
    transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    outputs_first = (
        nn.Linear,
        nn.Bilinear,
        nn.Conv1d,
        nn.Conv2d,
        nn.Conv3d,
        nn.RNNBase,
        nn.RNNCellBase,
        nn.MultiheadAttention,
    )
    if isinstance(layer, norms):
        return -1
    if isinstance(layer, transposed):  # (inputs, outputs per group, height, width)
        if layer.groups == 1:
            return 1
        return 0 if layer.groups == layer.in_channels == layer.out_channels else None
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return 1
    return 0 if isinstance(layer, outputs_first) else None
