"""Why a torch loss cannot be replayed, and what to write instead."""

from typing import Any

import torch

from landscape.errors import UserError
from landscape.interop.aten_record import CodePosition
from landscape.interop.code_positions import place_of, place_of_error

WHERE = "use torch.where, or a mask: `(x * mask).sum() / mask.sum()`"
TENSOR = "compute with the tensor itself, without .item(), float(), int(), bool() or `if`"
_NUMPY = "use torch operations in place of NumPy and of Python numbers"
_RANDOM = "compute with fixed numbers; noise and dropout belong to the model or to the data"
_TAGS = {
    torch.Tag.data_dependent_output: (
        "takes a Python value out of a tensor that depends on its arguments (.item(), float(), if)",
        TENSOR,
    ),
    torch.Tag.dynamic_output_shape: (
        "selects elements by their values, so that the number of elements depends on them",
        WHERE,
    ),
    torch.Tag.nondeterministic_seeded: ("draws random numbers", _RANDOM),
}
_PHRASES = {
    "leaf Variable that requires grad": (
        "changes its predictions in place",
        "write the result to a new tensor: `x = x.clamp(...)` in place of `x.clamp_(...)`",
    ),
    "not compiled with CUDA": (
        "moves tensors to a GPU",
        "leave out .cuda(), or use `.to(predictions.device)`",
    ),
    "requires grad. Use tensor.detach().numpy()": ("hands a tensor to NumPy", _NUMPY),
}


def refusal(what: str, hint: str, position: CodePosition | None = None) -> UserError:
    """Returns the error for a loss that does something that cannot be replayed."""
    return UserError(what, place=place_of(position), hint=hint)


def leaves_torch(position: CodePosition | None) -> UserError:
    """Returns the error for a tensor that is handed to NumPy or Python."""
    return refusal("hands a tensor that depends on its arguments to NumPy", _NUMPY, position)


def is_random(what: str) -> UserError:
    """Returns the error for a loss whose two recordings differ."""
    return refusal(f"{what} twice gives two different programs: it is random", _RANDOM)


def check_operation(operation: Any, position: CodePosition | None) -> None:
    """Raises UserError for an operation whose result or shape needs concrete values."""
    for tag, (what, hint) in _TAGS.items():
        if tag in operation.tags:
            raise refusal(what, hint, position)
    if operation is torch.ops.aten.is_nonzero.default:
        raise refusal(*_TAGS[torch.Tag.data_dependent_output], position)


def check_precision(
    operation: Any, results: list[torch.Tensor], inputs: set[torch.dtype], position: Any
) -> None:
    """Raises UserError if an operation rounds to half precision, as autocast does."""
    half = {torch.float16, torch.bfloat16}
    if not inputs & half and any(tensor.dtype in half for tensor in results):
        raise refusal(
            "computes in half precision (autocast, or a conversion)",
            "leave out autocast; the audit checks half precision by itself",
            position,
        )


def exception_of_loss(error: BaseException) -> UserError:
    """Returns the error for an exception that the loss raises in torch, at the user's line."""
    place = place_of_error(error)
    text = str(error).strip()
    for phrase, (what, hint) in _PHRASES.items():
        if phrase in text:
            return UserError(what, place=place, hint=hint)
    first = (text or type(error).__name__).split("\n")[0]
    return UserError(f"raises {type(error).__name__}: {first}", place=place)
