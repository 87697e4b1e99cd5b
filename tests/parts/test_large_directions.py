"""Directions of many parameters are those of few, with less memory."""

import jax
import numpy as np
import pytest

from landscape.parts import directions
from landscape.parts.directions import Point

RNG = np.random.default_rng(0)
AXES = {"a": 1, "b": None, "c": 0}


def tree():
    shapes = {"a": (300, 250), "b": (7,), "c": (5, 3, 2)}
    return {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("biases", ["zero", "random"])
@pytest.mark.parametrize("normalization", ["filter", "layer", "none"])
def test_arrays_that_are_drawn_one_by_one_are_those_of_one_draw(biases, normalization, monkeypatch):
    params, beside, key = tree(), tree(), jax.random.key(3)
    direction = directions.random(normalization=normalization, biases=biases)
    for other in (None, beside):
        point = Point(params, AXES, beside=other)
        expected = direction(key, point)
        monkeypatch.setattr(directions, "_LARGE", 0)
        by_array = direction(key, point)
        monkeypatch.undo()
        for name, array in expected.items():
            np.testing.assert_allclose(by_array[name], array, rtol=2e-6, atol=1e-6)


def test_numbers_are_those_of_jax_up_to_rounding(monkeypatch):
    params = {"a": np.ones((300, 250), np.float32)}
    monkeypatch.setattr(directions, "_LARGE", 0)
    key = jax.random.key(5)
    drawn = directions.random(normalization="none")(key, Point(params, {"a": 1}))["a"]
    expected = jax.random.normal(key, (75000,), np.float32).reshape(300, 250)
    np.testing.assert_array_max_ulp(np.asarray(drawn), np.asarray(expected), 2)


def test_a_large_direction_takes_one_array_of_temporary_memory():
    leaf = jax.ShapeDtypeStruct((2048, 2048), np.float32)
    arguments = jax.random.key(0), jax.ShapeDtypeStruct((), np.uint32), leaf, leaf, 1, True
    compiled = directions._draw_array.lower(*arguments).compile()
    copies = compiled.memory_analysis().temp_size_in_bytes / (4 * leaf.size)
    assert copies < 1.2
