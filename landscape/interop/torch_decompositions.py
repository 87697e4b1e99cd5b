"""ATen operations that are recorded as simpler ones, by the decompositions of torch."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import core_aten_decompositions, get_decompositions

_ATEN = torch.ops.aten
# Operations with a rule of their own, so that the audit reads a program as people write it in JAX.
_KEPT = (
    "_log_softmax",
    "_softmax",
    "abs",
    "amax",
    "amin",
    "clamp",
    "flip",
    "log_sigmoid_forward",
    "logsumexp",
    "mean",
    "relu",
    "rsub",
    "sgn",
    "sigmoid",
    "softplus",
    "stack",
    "t",
    "tanh",
    "transpose",
    "var",
)
_FURTHER = (
    "_log_softmax_backward_data",
    "_softmax_backward_data",
    "addcdiv",
    "addcmul",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "dist",
    "elu_backward",
    "embedding_dense_backward",
    "gelu_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "hardtanh",
    "hardtanh_backward",
    "huber_loss",
    "huber_loss_backward",
    "index_fill",
    "leaky_relu_backward",
    "lerp",
    "linalg_vector_norm",
    "log_sigmoid_backward",
    "logit",
    "logit_backward",
    "masked_fill",
    "mish_backward",
    "mse_loss",
    "mse_loss_backward",
    "multi_margin_loss",
    "native_batch_norm_backward",
    "native_layer_norm_backward",
    "nll_loss2d_backward",
    "nll_loss2d_forward",
    "nll_loss_backward",
    "nll_loss_forward",
    "norm",
    "select_backward",
    "sigmoid_backward",
    "silu_backward",
    "slice_backward",
    "smooth_l1_loss",
    "smooth_l1_loss_backward",
    "soft_margin_loss",
    "soft_margin_loss_backward",
    "softplus_backward",
    "tanh_backward",
    "threshold_backward",
    "unfold_backward",
    "xlogy",
)


@functools.cache
def decompositions() -> dict[Any, Callable[..., Any]]:
    """Returns the decomposition of each operation that is not recorded as it is."""
    table = {
        operation: function
        for operation, function in core_aten_decompositions().items()
        if operation.namespace == "aten" and operation._opname not in _KEPT
    }
    further = [getattr(_ATEN, name) for name in _FURTHER if hasattr(_ATEN, name)]
    table.update(get_decompositions(further))
    return table
