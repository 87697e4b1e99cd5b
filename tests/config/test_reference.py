"""The reference loss is chosen by the config alone: named, else usual for the task, else first."""

import pytest

from landscape.catalog.menu import TASKS, menu
from landscape.config import LossPart
from landscape.config.reference import DEFAULT_LOSSES, reference_loss

FOCAL = LossPart(name="focal", label="focal")
USUAL = LossPart(name="softmax_cross_entropy", label="CE")
SMOOTH = LossPart(name="softmax_cross_entropy", label="smoothed CE")


@pytest.mark.parametrize(
    ("losses", "task", "given", "expected"),
    [
        ([FOCAL, USUAL, SMOOTH], "multiclass", None, "CE"),
        ([FOCAL, USUAL], "multiclass", "focal", "focal"),
        ([FOCAL, USUAL], "binary", None, "focal"),
        ([FOCAL], "", None, "focal"),
    ],
)
def test_choice(losses, task, given, expected):
    assert reference_loss(losses, task, given) == expected


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_usual_loss_on_its_menu(task):
    assert DEFAULT_LOSSES[task] in menu("losses", task)
