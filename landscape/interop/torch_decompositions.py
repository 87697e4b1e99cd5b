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
    "_prelu_kernel",
    "_prelu_kernel_backward",
    "_softmax_backward_data",
    "addcdiv",
    "addcmul",
    "addr",
    "baddbmm",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "celu",
    "col2im",
    "cumsum_backward",
    "deg2rad",
    "dist",
    "elu",
    "elu_backward",
    "embedding_dense_backward",
    "gelu",
    "gelu_backward",
    "glu",
    "glu_backward",
    "grid_sampler_2d",
    "hardshrink",
    "hardshrink_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "hardtanh",
    "hardtanh_backward",
    "heaviside",
    "huber_loss",
    "huber_loss_backward",
    "im2col",
    "index_add",
    "index_copy",
    "index_fill",
    "isneginf",
    "isposinf",
    "leaky_relu",
    "leaky_relu_backward",
    "lerp",
    "linalg_vector_norm",
    "log_sigmoid_backward",
    "logaddexp",
    "logit",
    "logit_backward",
    "masked_fill",
    "mish",
    "mish_backward",
    "mse_loss",
    "mse_loss_backward",
    "multi_margin_loss",
    "multilabel_margin_loss_forward",
    "native_batch_norm_backward",
    "native_group_norm",
    "native_group_norm_backward",
    "native_layer_norm",
    "native_layer_norm_backward",
    "nll_loss2d_backward",
    "nll_loss2d_forward",
    "nll_loss_backward",
    "nll_loss_forward",
    "norm",
    "pixel_shuffle",
    "select_backward",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "sinc",
    "slice_backward",
    "smooth_l1_loss",
    "smooth_l1_loss_backward",
    "soft_margin_loss",
    "soft_margin_loss_backward",
    "softplus_backward",
    "softshrink",
    "softshrink_backward",
    "special_entr",
    "std",
    "std_mean",
    "tanh_backward",
    "threshold",
    "threshold_backward",
    "trace",
    "unfold_backward",
    "upsample_bilinear2d",
    "upsample_nearest2d",
    "var_mean",
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
