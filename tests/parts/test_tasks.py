"""Tasks agree with the menu, and their baselines with the targets that they summarize."""

import numpy as np
import pytest

from landscape import catalog
from landscape.errors import UserError
from landscape.parts import tasks


def test_every_task_of_the_menu_can_be_named():
    assert set(tasks.ALL) == set(catalog.TASKS)
    for name in catalog.TASKS:
        assert tasks.named(name).name == name
        assert tasks.named(name).metrics


def test_a_dataset_may_be_trained_only_as_known_tasks():
    for name in catalog.TASKS:
        assert set(tasks.named(name).accepts) <= set(catalog.TASKS)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match="no task `binry`") as error:
        tasks.named("binry")
    assert "binary" in error.value.hint


@pytest.mark.parametrize(
    ("task", "values", "outputs", "expected"),
    [
        ("regression", [1.0, 2.0, 6.0], 1, 3.0),
        ("regression", [[1.0, 0.0], [3.0, 4.0]], 2, [2.0, 2.0]),
        ("binary", [0.0, 1.0, 1.0], 1, 1.0),
        ("binary", [0.0, 1.0], 1, -1.0),
        ("multiclass", [2, 0, 2, 1], 4, [0, 0, 1, 0]),
        ("segmentation", [[[0.0, 1.0]], [[1.0, 1.0]]], 1, [[1.0, 1.0]]),
    ],
)
def test_the_constant_prediction(task, values, outputs, expected):
    constant = tasks.named(task).constant(np.array(values), {}, outputs)
    np.testing.assert_array_equal(constant, expected)
