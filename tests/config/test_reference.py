"""The reference loss is chosen by the config alone: named, else usual for the task, else first."""

import pytest

from landscape.catalog.menu import menu, task_names
from landscape.config import LossPart
from landscape.config.reference import reference_loss
from landscape.parts import tasks

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


@pytest.mark.parametrize("task", task_names())
def test_every_task_has_a_usual_loss_on_its_menu(task):
    reference = tasks.named(task).reference
    assert reference in menu("losses", task) or not menu("losses", task)
