"""Losses of PyTorch and Keras as functions of JAX arrays; the one entry to this folder."""

import contextlib
import functools
from typing import Any

from landscape.interop import keras_recognition, torch_recognition
from landscape.interop.library_words import in_words_of


def adapted(value: Any) -> Any:
    """Returns a loss or activation of PyTorch or Keras as a function of JAX arrays.

    Anything else is returned unchanged. Equal values give the same function, so that its compiled
    programs are shared. Options that functools.partial binds stay bound.
    Raises UserError if it is one of Keras and Keras uses another backend than JAX.
    """
    return keras_recognition.adapted(torch_recognition.adapted(value))


def replayed(function: Any) -> Any:
    """Returns an adapted function that raises UserError where it would call PyTorch as it runs."""
    return torch_recognition.replayed(function)


def note_targets(function: Any, call: Any, predictions: Any, targets: Any) -> None:
    """Records a loss that reads its targets in Python for `call(predictions, targets)`.

    Does nothing for other functions. Raises UserError if the loss raises for these targets.
    """
    torch_function = _by_target(function)
    if torch_function is not None:
        torch_function.note(call, predictions, targets)


def learn_targets(function: Any) -> bool:
    """Returns whether programs of a loss met targets for which they were not recorded.

    Their results then have no meaning. Programs that are traced later are recorded for the targets.
    """
    torch_function = _by_target(function)
    return torch_function is not None and torch_function.learn()


def called_in_torch(function: Any) -> contextlib.AbstractContextManager[None]:
    """Returns a context in which a loss that reads its targets in Python may have any targets.

    What is traced in it calls torch at run time, as training does.
    """
    torch_function = _by_target(function)
    return contextlib.nullcontext() if torch_function is None else torch_function.in_torch()


def _by_target(function: Any) -> Any:
    """Returns the function of torch that is recorded by target; None for any other."""
    if library_of(function) != "PyTorch":
        return None
    while isinstance(function, functools.partial):
        function = function.func
    return function if function.is_by_target else None


def library_of(function: Any) -> str | None:
    """Returns "PyTorch" or "Keras" for a function of one of them; None for any other."""
    if torch_recognition.is_adapted(function):
        return "PyTorch"
    return "Keras" if keras_recognition.is_keras(function) else None


def described(function: Any, kind: str) -> str | None:
    """Returns the library of a function and what is constant in it; None for any other.

    `PyTorch loss: parameters and buffers (4 numbers) are constants`.
    """
    library = library_of(function)
    if library is None:
        return None
    text, options = f"{library} {kind}", dict[str, Any]()
    while isinstance(function, functools.partial):
        options = {**function.keywords, **options}
        function = function.func
    count = function.constants(options) if library == "PyTorch" else 0
    if not count:
        return text
    numbers = "1 number" if count == 1 else f"{count:,} numbers"
    return f"{text}: parameters and buffers ({numbers}) are constants"


def in_its_words(function: Any, text: str) -> str:
    """Returns a message about JAX functions in the words of the library of a function."""
    return in_words_of(library_of(function), text)
