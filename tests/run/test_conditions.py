"""Conditions of a dataset and the scale of initial weights, from a config to the run."""

import re

import jax
import numpy as np
import pytest
from helpers.configs import load, refused

from landscape import config
from landscape.config.run_identity import training_identity
from landscape.errors import UserError
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.training_inputs import initial_params

CONFIG = """
dataset: wine
model: {name: mlp, widths: [4]}
losses: [softmax_cross_entropy, brier]
seeds: [0, 1]
steps: 4
slices: null
"""


def runs(folder, *overrides, text=CONFIG):
    return config.expand(load(folder, text, *overrides))


def test_all_losses_of_a_seed_train_on_the_same_examples(tmp_path):
    conditions = "dataset.label_noise=0.3", "dataset.imbalance=0.5", "dataset.train_size=0.5"
    first, second, other_seed, _ = runs(tmp_path, *conditions)
    one, two, other = (ProgramCache().dataset(run) for run in (first, second, other_seed))
    for array, same in zip(one.train, two.train, strict=True):
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(one.train.targets, other.train.targets)
    (usual, *_) = runs(tmp_path)
    for array, same in zip(one.test, ProgramCache().dataset(usual).test, strict=True):
        np.testing.assert_array_equal(array, same)


def test_initialization_multiplies_the_weights_of_the_run(tmp_path):
    cache = ProgramCache()
    usual, scaled = (runs(tmp_path, f"model.initialization={scale}")[0] for scale in (1, 0.25))
    model = cache.model(usual)
    for before, after in zip(
        *(jax.tree.leaves(initial_params(run, model)) for run in (usual, scaled)), strict=True
    ):
        factor = 0.25 if before.ndim > 1 else 1
        np.testing.assert_array_equal(after, factor * np.asarray(before))


def test_defaults_leave_the_ids_as_they_were(tmp_path):
    defaults = ("dataset.label_noise=0", "dataset.imbalance=null", "dataset.train_size=null")
    usual, (given, *_) = runs(tmp_path)[0], runs(tmp_path, *defaults, "model.initialization=1")
    assert given.id == usual.id
    identity = training_identity(dict(usual), usual.folder)
    # The keys of revisions without these fields.
    assert identity["dataset"].keys() == identity["model"].keys() == {"name", "options"}


CONDITIONS = (
    "dataset.label_noise=0.1",
    "dataset.label_noise=[[1,0,0],[0,1,0],[0,0.5,0.5]]",
    "dataset.imbalance=1",
    "dataset.train_size=1.0",
    "dataset.train_size=50",
    "model.initialization=2",
)


def test_every_condition_is_another_run(tmp_path):
    ids = {runs(tmp_path, *given)[0].id for given in ((), *((c,) for c in CONDITIONS))}
    assert len(ids) == 1 + len(CONDITIONS)


def test_conditions_are_axes_of_a_sweep(tmp_path):
    swept = runs(tmp_path, "dataset.label_noise=0,0.3", "model.initialization=0.5,2")
    assert {tuple(run.swept.values()) for run in swept} == {
        (0, 0.5),
        (0, 2),
        (0.3, 0.5),
        (0.3, 2),
    }
    assert {(run.dataset.label_noise, run.model.initialization) for run in swept} == {
        (0.0, 0.5),
        (0.0, 2.0),
        (0.3, 0.5),
        (0.3, 2.0),
    }
    assert "label_noise=0.3-initialization=0.5" in swept[-6].id


def test_noise_and_scale_share_the_compiled_program(tmp_path):
    cache = ProgramCache()
    usual, noisy, scaled, smaller = (
        cache.key(runs(tmp_path, *change)[0])
        for change in (
            (),
            ("dataset.label_noise=0.3",),
            ("model.initialization=0.5",),
            ("dataset.train_size=0.5",),
        )
    )
    assert usual == noisy == scaled != smaller


MISTAKES = [
    ("dataset.label_noise=1.5", "`dataset.label_noise`: found the number 1.5, expected a share"),
    ("dataset.label_noise=[[1,0],[0,1],[1,0]]", "not a square matrix"),
    ("dataset.label_noise=[[0.9,0.2],[0,1]]", "row 0 of the confusion matrix sums to 1.1"),
    ("dataset.label_noise=[[1.5,-0.5],[0,1]]", r"row 0 of the confusion matrix is \[1.5,-0.5\]"),
    ("dataset.imbalance=0", "`dataset.imbalance`: found the integer 0"),
    ("dataset.imbalance=2", "`dataset.imbalance`: found the integer 2"),
    ("dataset.train_size=0", "expected a number of examples, or a share"),
    ("dataset.train_size=1.5", "expected a number of examples, or a share"),
    ("model.initialization=0", "`model.initialization`: found the integer 0"),
]


@pytest.mark.parametrize(("override", "message"), MISTAKES)
def test_a_condition_of_the_wrong_kind_is_refused_with_the_config(tmp_path, override, message):
    assert re.search(message, refused(tmp_path, CONFIG, override).message)


REFUSED = [
    (
        ("dataset=diabetes", "losses=squared_error", "dataset.label_noise=0,0.3"),
        "needs class labels",
    ),
    (("dataset.label_noise=[[0.9,0.1],[0.1,0.9]]",), "2 x 2, but the dataset has 3 classes"),
    (("dataset.imbalance=1,0.001",), "leaves class `class_2`"),
    (("dataset.train_size=0.9,1000",), "`train_size` is 1000, but there are"),
    (("dataset.train_size=40",), "batch_size is 64, but dataset `wine` has only 40"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_a_condition_that_does_not_fit_is_refused_before_training(tmp_path, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        prepare(runs(tmp_path, *overrides), ProgramCache())
    assert "batch_size" in message or caught.value.part in ("wine", "diabetes")


def test_a_model_without_weights_cannot_be_scaled(tmp_path):
    (tmp_path / "flat.py").write_text(
        "import jax.numpy as jnp\n"
        "from landscape.parts.models import Model\n"
        "def flat(input_shape, outputs):\n"
        "    shape = input_shape[0], outputs\n"
        "    return Model(lambda key: {'w': jnp.zeros(shape)}, lambda p, x: x @ p['w'],\n"
        "                 lambda p: {'w': None})\n"
    )
    run, *_ = runs(tmp_path, "model=flat.py:flat", "model.initialization=2")
    with pytest.raises(UserError, match="`filter_axes` of the model assigns no axis"):
        prepare([run], ProgramCache())
