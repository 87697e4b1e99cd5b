"""Recognizes losses of Keras, without importing Keras."""

import functools
import inspect
import sys
from typing import Any

from landscape.errors import UserError
from landscape.interop.torch_recognition import JAX_PACKAGES, package_of, packages_used


def is_keras(value: Any) -> bool:
    """Returns whether a value is a loss or function of Keras, or a function that uses only Keras.

    Keras is not imported.
    """
    while isinstance(value, functools.partial):
        value = value.func
    keras = sys.modules.get("keras")
    if keras is None or not hasattr(keras, "losses"):
        return False
    if _is_adapted(value) or _is_loss(value, keras) or package_of(value) == "keras":
        return True
    used = packages_used(value)
    return "keras" in used and used.isdisjoint({*JAX_PACKAGES, "torch"} - {"keras"})


def adapted(value: Any) -> Any:
    """Returns a loss of Keras as a function; other values unchanged.

    Equal values give the same function. Raises UserError if Keras uses another backend than JAX.
    """
    if not is_keras(value):
        return value
    check_backend()
    if isinstance(value, functools.partial):
        return functools.partial(adapted(value.func), *value.args, **value.keywords)
    if _is_adapted(value) or not _is_loss(value, sys.modules["keras"]):
        return value
    from landscape.interop.keras_losses import keras_loss

    return keras_loss(value)


def check_backend() -> None:
    """Raises UserError unless Keras computes with JAX."""
    backend = sys.modules["keras"].backend.backend()
    if backend != "jax":
        raise UserError(
            f"Keras uses its backend `{backend}`, expected jax",
            hint="set the environment variable KERAS_BACKEND=jax before Keras is imported",
        )


def _is_adapted(value: Any) -> bool:
    return type(value).__module__ == "landscape.interop.keras_losses"


def _is_loss(value: Any, keras: Any) -> bool:
    if inspect.isclass(value):
        return issubclass(value, keras.losses.Loss)
    return isinstance(value, keras.losses.Loss)
