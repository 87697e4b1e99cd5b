"""Messages about JAX are translated to PyTorch and Keras, and the code in them runs there."""

import math
import re

import jax
import numpy as np
import pytest
from messages_about_jax import JAX_WORD, messages

from landscape.interop.library_words import KERAS, TORCH, in_words_of

MESSAGES = list(messages())


@pytest.mark.parametrize("library", ["PyTorch", "Keras"])
def test_no_message_of_the_audit_names_jax(library):
    assert len(MESSAGES) > 30
    texts = [in_words_of(library, text) for text in MESSAGES]
    assert [text for text in texts if JAX_WORD.search(text)] == []


@pytest.mark.parametrize("words", [TORCH, KERAS])
def test_every_entry_is_used(words):
    texts = "\n".join([*MESSAGES, "with log_sigmoid, by log_sigmoid, autodiff"])
    assert [name for name in words if name not in texts] == []


def calls(text, root):
    """Returns the expressions in a text that begin with a call of a function of a package."""
    found = []
    for match in re.finditer(rf"(?<![\w.])({root})\.[\w.]+\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.start() : end])
    return found


def test_the_code_in_torch_words_runs():
    torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")
    x, targets = torch.linspace(0.1, 0.9, 4), torch.tensor([0.0, 1.0, 1.0, 0.0])
    names = {"torch": torch, "F": torch.nn.functional, "math": math, "T": 0.1, "epsilon": 1e-6}
    names |= {"x": x, "z": x, "logits": x, "targets": targets, "a": 0.5, "b": 0.1}
    names |= {"threshold": 0.5, "condition": x > 0}
    expressions = [
        expression
        for text in MESSAGES
        for expression in calls(in_words_of("PyTorch", text), "torch|F|x|predictions|count")
    ]
    assert len(expressions) > 15
    for expression in expressions:
        if expression == "torch.no_grad()":
            continue
        value = eval(expression, names | {"predictions": x.double(), "count": targets.sum()})
        assert isinstance(value, torch.Tensor), expression


def test_the_code_in_keras_words_runs(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    x, targets = np.linspace(0.1, 0.9, 4), np.array([0.0, 1.0, 1.0, 0.0])
    names = {"keras": keras, "T": 0.1, "epsilon": 1e-6, "x": x, "z": x, "a": 0.5, "b": 0.1}
    names |= {"logits": x, "targets": targets, "threshold": 0.5, "condition": x > 0}
    names |= {"predictions": x, "count": targets.sum()}
    expressions = [
        expression for text in MESSAGES for expression in calls(in_words_of("Keras", text), "keras")
    ]
    assert len(expressions) > 15
    with jax.numpy_dtype_promotion("standard"):
        for expression in expressions:
            assert np.isfinite(np.asarray(eval(expression, names))).all(), expression
