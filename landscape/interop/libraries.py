"""Losses of PyTorch and Keras as functions of JAX arrays; the one entry to this folder."""

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


def library_of(function: Any) -> str | None:
    """Returns "PyTorch" or "Keras" for a function of one of them; None for any other."""
    if torch_recognition.is_adapted(function):
        return "PyTorch"
    return "Keras" if keras_recognition.is_keras(function) else None


def described(function: Any, kind: str) -> str | None:
    """Returns the library of a function and what is constant in it; None if it is none of these.

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
