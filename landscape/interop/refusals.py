"""Why a torch loss cannot be replayed, and what to write instead."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from landscape.errors import Place, UserError
from landscape.interop.aten_record import CodePosition
from landscape.interop.code_positions import place_of, place_of_error

WHERE = "use torch.where, or a mask: `(x * mask).sum() / mask.sum()`"
TENSOR = "compute with the tensor itself, without .item(), float(), int(), bool() or `if`"
_NUMPY = "use torch operations in place of NumPy and of Python numbers"
_RANDOM = "compute with fixed numbers; noise and dropout belong to the model or to the data"
_DTYPE = (
    "converts to float32, which does not go with predictions in float64, in which it is checked",
    "write `.to(predictions.dtype)` in place of `.float()`",
)
_TAGS = {
    torch.Tag.data_dependent_output: (
        "takes a Python value out of its predictions (.item(), float(), if)",
        TENSOR,
    ),
    torch.Tag.dynamic_output_shape: (
        "selects elements by its predictions, so that the number of elements depends on them",
        WHERE,
    ),
}
_WHOLE = re.compile(
    r"index tensor of type LongTensor|must be long, int|dtype int32/int64 for index"
    r"|scalar type Long|_cpu\" not implemented for '(Float|Double)'"
)
_PHRASES = {
    "leaf Variable that requires grad": (
        "changes its predictions in place",
        "write the result to a new tensor: `x = x.clamp(...)` in place of `x.clamp_(...)`",
    ),
    "not compiled with CUDA": (
        "moves tensors to a GPU",
        "leave out .cuda(), or use `.to(predictions.device)`",
    ),
    "but found torch.float64 and torch.float32": _DTYPE,
    "but found torch.float32 and torch.float64": _DTYPE,
    "requires grad. Use tensor.detach().numpy()": ("hands a tensor to NumPy", _NUMPY),
}


def refusal(what: str, hint: str, position: CodePosition | None = None) -> UserError:
    """Returns the error for a loss that does something that cannot be replayed."""
    return UserError(what, place=place_of(position), hint=hint)


def leaves_torch(position: CodePosition | None) -> UserError:
    """Returns the error for a tensor that is handed to NumPy or Python."""
    return refusal("hands its predictions to NumPy or Python", _NUMPY, position)


def is_random(what: str) -> UserError:
    """Returns the error for a loss whose two recordings differ."""
    return refusal(f"{what} twice gives two different programs: it is random", _RANDOM)


def changes_itself(names: Sequence[str]) -> UserError:
    """Returns the error for a module whose next call is another loss, by what it changes."""
    return UserError(
        f"changes {' and '.join(f'`self.{name}`' for name in names[:3])} when it is called, and so "
        "what it returns for the same predictions",
        hint="move the update out of forward, into a method that the training loop calls; the loss "
        "is then audited with the values that its constructor sets",
    )


def reads_targets(place: Place | None) -> UserError:
    """Returns the error for a loss that cannot be replayed for all targets."""
    return UserError(
        "reads values of its targets or inputs in Python in a way that cannot be replayed for all",
        place=place,
        hint="compute with torch operations on the targets, such as sums of masks and torch.where; "
        "as it is, `landscape run` and `compare` call torch at each step",
    )


def draws_random_numbers(position: CodePosition | None) -> UserError:
    """Returns the error for an operation that draws random numbers."""
    return refusal("draws random numbers", _RANDOM, position)


def reading(operation: Any, position: CodePosition | None) -> Callable[[], UserError] | None:
    """Returns the error of an operation whose result or shape needs values; None for others."""
    if operation._opname == "_ctc_loss":  # reads lengths, and has no rule
        return None
    for tag, (what, hint) in _TAGS.items():
        if tag in operation.tags:
            return functools.partial(refusal, what, hint, position)
    return None


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
    if _WHOLE.search(first):
        return UserError(
            f"uses floating-point numbers where torch takes integers: {first}",
            place=place,
            hint="write `target.long()` if the targets are labels; here they are floating-point",
        )
    return UserError(f"raises {type(error).__name__}: {first}", place=place)
