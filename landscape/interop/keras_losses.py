"""A class or instance of `keras.losses.Loss` as a function of arrays."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras

Array = Any
_OF_KERAS = ("name", "dtype")  # arguments of a constructor that are not options of a loss


class KerasLoss:
    """`loss(y_true, y_pred, sample_weight=None, **options)` for a class or instance of Keras.

    Options are those of the constructor. The loss computes in the dtype of its predictions, where
    Keras would convert them to that of the loss.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._instances: dict[tuple[str, str], Any] = {}
        self.__name__ = getattr(value, "__name__", type(value).__name__)
        self.__qualname__ = self.__name__
        self.__module__ = str(value.__module__)
        self.__doc__ = value.__doc__
        self._constructor = _constructor_parameters(value)
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter("y_true", inspect.Parameter.POSITIONAL_OR_KEYWORD),
                inspect.Parameter("y_pred", inspect.Parameter.POSITIONAL_OR_KEYWORD),
                inspect.Parameter(
                    "sample_weight", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None
                ),
                *self._constructor.values(),
            ]
        )
        self.__wrapped__ = _source(value)

    def __call__(
        self, y_true: Array, y_pred: Array, sample_weight: Array = None, **options: Any
    ) -> Array:
        # Keras broadcasts ranks and promotes dtypes, whatever JAX is configured to do.
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            loss = self._instance(str(jnp.result_type(y_pred)), options)
            value: Array = loss(y_true, y_pred, sample_weight=sample_weight)
            return value

    def _instance(self, dtype: str, options: dict[str, Any]) -> Any:
        key = dtype, repr(sorted(options.items()))
        if key not in self._instances:
            loss = self._value(**options) if inspect.isclass(self._value) else self._value
            self._instances[key] = _in_dtype(loss, dtype)
        return self._instances[key]


def _in_dtype(loss: Any, dtype: str) -> Any:
    """Returns a copy of a loss that computes in a dtype."""
    kind = type(loss)
    copied: Any = object.__new__(type(kind.__name__, (kind,), {"dtype": dtype}))
    copied.__dict__.update(loss.__dict__)
    return copied


def _constructor_parameters(value: Any) -> dict[str, inspect.Parameter]:
    """Returns the options of a class; `**kwargs` are those of `keras.losses.Loss`."""
    if not inspect.isclass(value):
        return {}
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    declared = inspect.signature(value).parameters
    parameters = dict(declared)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in declared.values()):
        parameters = {**inspect.signature(keras.losses.Loss).parameters, **declared}
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if parameter.kind in kinds and name not in _OF_KERAS
    }


def _source(value: Any) -> Callable[..., Any]:
    """Returns the function in whose source the operations of a loss are."""
    loss: Any = value
    with contextlib.suppress(Exception):  # a class without defaults
        loss = value() if inspect.isclass(value) else value
    function: Callable[..., Any] = getattr(loss, "fn", None) or loss.call
    return inspect.unwrap(function)


@functools.cache
def keras_loss(value: Any) -> KerasLoss:
    """Returns the function of a class or an instance, one per value."""
    return KerasLoss(value)
