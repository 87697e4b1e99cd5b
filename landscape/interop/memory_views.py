"""Tensors that view the memory of others, as operations of a record."""

from typing import Any

import numpy as np
import torch

from landscape.interop import refusals
from landscape.interop.aten_record import CodePosition, Constant, Overlay, TensorType
from landscape.interop.torch_arrays import numpy_dtype


def type_of(tensor: torch.Tensor) -> TensorType:
    """Returns shape and dtype. Raises UserError for a dtype that JAX does not have."""
    try:
        return TensorType(tuple(tensor.shape), numpy_dtype(tensor.dtype))
    except KeyError:
        what = f"computes with {str(tensor.dtype).removeprefix('torch.')} tensors"
        raise refusals.refusal(what, "use real floating-point tensors") from None


def strided(
    source: torch.Tensor, result: torch.Tensor, value: Any, position: CodePosition | None
) -> tuple[Overlay, tuple[Any, ...]]:
    """Returns the operation that reads a view of the memory of another tensor."""
    overlay = Overlay(positions_in_memory(result), positions_in_memory(source))
    if np.setdiff1d(overlay.view, overlay.written).size:
        what = "reads memory outside of a tensor (as_strided)"
        raise refusals.refusal(what, "use slices of the tensor", position)
    zeros = Constant(np.zeros(tuple(result.shape), numpy_dtype(result.dtype)))
    return overlay, (zeros, value)


def positions_in_memory(tensor: torch.Tensor) -> np.ndarray:
    """Returns the position of each element in the memory that a tensor views."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    geometry = tensor.shape, tensor.stride(), tensor.storage_offset()
    positions: np.ndarray = torch.arange(size).as_strided(*geometry).numpy()
    return positions
