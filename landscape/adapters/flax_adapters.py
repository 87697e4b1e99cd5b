"""Adapters for Flax: modules of `linen` with their variables, and modules of `nnx`."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from landscape.adapters.adapted_model import (
    AdaptedModel,
    adapted_model,
    check_instance,
    missing_package,
)
from landscape.errors import UserError, first_line
from landscape.parts.models._adapters import flax_linen, flax_nnx
from landscape.parts.models._adapters.filter_axes import Choice, path_of

PyTree = Any


def flax(
    module: Any, variables: Mapping[str, Any], inputs: Any = None, *, filter_axes: Choice = None
) -> AdaptedModel:
    """Returns a trained module of `flax.linen` as a function `apply(params, inputs)`.

    `variables` are those of `module.apply`: the collection `params`, and others such as
    `batch_stats`, which are the state. Parameters of `__call__` such as `train` and `deterministic`
    are set for evaluation. A linen module shows its layers only while it runs: with example
    `inputs` they are recognized by their classes, without by the names of their parameters
    (`kernel`, `embedding`, `bias`, `scale`). `filter_axes` states the axes of other weights:
    `first`, `last`, or a function of the parameters.

    Raises UserError if the variables do not fit, or the axes of a weight are not known.
    """
    try:
        from flax import core, linen
    except ImportError:
        raise missing_package("flax", "flax") from None
    if isinstance(module, _nnx_module()):
        message = "`adapters.flax` takes a module of flax.linen, and this is one of nnx"
        raise UserError(message, hint="call `adapters.nnx(module)`")
    check_instance(module, linen.Module, "flax", "adapters.flax(Net(), variables)")
    collections = _collections(core.meta.unbox(core.unfreeze(variables)))  # type: ignore[arg-type]
    state = {n: v for n, v in collections.items() if n not in ("params", "intermediates")}
    calls = flax_linen.module_calls(module, state)
    calls = calls._replace(
        evaluate=_explained(calls.evaluate),
        train=calls.train and _explained(calls.train),
        recompute=calls.recompute and _explained(calls.recompute),
    )
    params = collections["params"]
    known = flax_linen.axes_by_name
    if inputs is not None:

        def trace() -> PyTree:
            jax.eval_shape(calls.evaluate, params, inputs, state)
            return params

        axes = flax_linen.axes_by_layer(trace)[1]
        known = lambda params: axes  # noqa: E731
    name = f"flax.linen {type(module).__name__}"
    return adapted_model(calls, params, state, known, filter_axes, name)


def nnx(module: Any, *, filter_axes: Choice = None) -> AdaptedModel:
    """Returns a trained module of `flax.nnx` as a function `apply(params, inputs)`.

    Variables of type `Param` are the parameters, all others the state. The module is not changed:
    a copy is set to evaluation mode. `filter_axes` states the axes of weights of layers that are
    not known: `first`, `last`, or a function of the parameters.

    Raises UserError if the axes of a weight are not known.
    """
    try:
        from flax import linen
        from flax import nnx as library
    except ImportError:
        raise missing_package("flax", "flax") from None
    if isinstance(module, linen.Module):
        message = "`adapters.nnx` takes a module of nnx, and this is one of flax.linen"
        raise UserError(message, hint="call `adapters.flax(module, variables)`")
    if isinstance(module, library.GraphDef | library.State):
        raise UserError(
            f"`adapters.nnx` takes a module with its variables, not {type(module).__name__}",
            hint="call it as `adapters.nnx(nnx.merge(graphdef, state))`",
        )
    check_instance(module, library.Module, "nnx", "adapters.nnx(Net(rngs=nnx.Rngs(0)))")
    _check_bound(module)
    parts = flax_nnx.split_module(module)
    axes = flax_nnx.known_axes(module)
    return adapted_model(
        flax_nnx.module_calls(parts),
        library.to_pure_dict(parts.params),
        library.to_pure_dict(parts.state),
        lambda params: axes,
        filter_axes,
        f"flax.nnx {type(module).__name__}",
    )


def _nnx_module() -> type:
    from flax import nnx as library

    return library.Module


def _check_bound(module: Any) -> None:
    """Raises UserError if variables of a module hold shapes in place of arrays."""
    from flax import nnx as library

    variables = library.to_pure_dict(library.state(module))
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        if isinstance(leaf, jax.ShapeDtypeStruct):
            raise UserError(
                f"the variable `{path_of(path)}` of the module is a shape, not an array: "
                "it is unbound",
                hint="fill it with the trained values: `nnx.update(module, state)`",
            )


def _collections(variables: Any) -> dict[str, Any]:
    """Returns the variables by collection. Raises UserError without `params`."""
    if isinstance(variables, Mapping) and "params" in variables:
        return dict(variables)
    kind = type(variables).__name__
    names = ", ".join(f"`{n}`" for n in list(variables)[:4]) if isinstance(variables, dict) else ""
    raise UserError(
        f"`variables` is {f'a dict of {names}' if names else kind}, expected the collection "
        "`params` and those of the state",
        hint='pass `{"params": params, "batch_stats": batch_stats}`, as to `module.apply`',
    )


def _explained(call: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a call whose errors of Flax are in the words of this package."""
    from flax import errors

    def explained(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except (errors.ScopeParamNotFoundError, errors.ScopeParamShapeError) as error:
            raise UserError(
                f"the variables do not fit the module: {first_line(error)}",
                hint="pass the variables of this module, with the options that it was trained with",
            ) from None
        except errors.InvalidRngError as error:
            raise UserError(
                f"the module draws random numbers in evaluation: {first_line(error)}",
                hint="give `__call__` a parameter `train: bool`, and Dropout `deterministic=not "
                "train`; or build the module in evaluation mode",
            ) from None
        except errors.ModifyScopeVariableError as error:
            raise UserError(
                f"the module changes its state in evaluation: {first_line(error)}",
                hint="give `__call__` a parameter `train: bool`, and BatchNorm "
                "`use_running_average=not train`; or build the module in evaluation mode",
            ) from None

    return explained
