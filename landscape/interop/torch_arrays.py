"""Tensors as arrays, and dtypes of JAX as those of torch."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch

_DTYPES = {
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: np.dtype(ml_dtypes.bfloat16),
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
    torch.complex64: np.dtype(np.complex64),
    torch.complex128: np.dtype(np.complex128),
    torch.int8: np.dtype(np.int8),
    torch.int16: np.dtype(np.int16),
    torch.int32: np.dtype(np.int32),
    torch.int64: np.dtype(np.int64),
    torch.uint8: np.dtype(np.uint8),
    torch.bool: np.dtype(np.bool_),
}
_FLOATS = {str(dtype): key for key, dtype in _DTYPES.items() if key.is_floating_point}


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """Returns the dtype of NumPy. Raises KeyError for one that losses do not support."""
    return _DTYPES[dtype]


def input_dtype(dtype: Any) -> torch.dtype:
    """Returns the dtype in which torch receives an array: integers as int64, as torch's labels."""
    if jnp.issubdtype(dtype, jnp.floating):
        return _FLOATS[str(np.dtype(dtype))]
    return torch.bool if np.dtype(dtype) == np.bool_ else torch.int64


def jax_dtype(dtype: np.dtype) -> Any:
    """Returns the dtype that a program has for a recorded one: 32 bits unless JAX has 64."""
    return jax.dtypes.canonicalize_dtype(dtype)


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """Returns a copy of the values of a tensor."""
    plain = tensor.detach().cpu().resolve_neg().resolve_conj()
    if plain.dtype == torch.bfloat16:
        return np.array(plain.float().numpy()).astype(ml_dtypes.bfloat16)
    return np.array(plain.numpy(), dtype=_DTYPES[plain.dtype])


def to_tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Returns a new tensor with the values of an array."""
    if array.dtype == ml_dtypes.bfloat16:
        array = array.astype(np.float32)
    return torch.tensor(array).to(dtype)
