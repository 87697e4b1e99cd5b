"""The task of a run: of its config or its dataset, with options that its parts share."""

from contextlib import nullcontext

import jax
import numpy as np
import pytest

from landscape import config
from landscape.errors import UserError
from landscape.parts.models import ModelShapes
from landscape.run import preflight
from landscape.run.model_check import build_model
from landscape.run.program_cache import ProgramCache
from landscape.run.training_inputs import evaluation_set, training_inputs


def only_run(folder, text, *overrides):
    (folder / "a.yaml").write_text("seeds: 1\n" + text)
    return config.expand(config.load(folder / "a.yaml", overrides))[0]


CARS = "dataset: car_ranking\nmodel: linear\nlosses: [ranknet]\n"


def test_without_a_task_a_run_has_that_of_its_dataset_and_its_old_id(tmp_path):
    text = "dataset: wine\nmodel: linear\nlosses: [brier]\n"
    run = only_run(tmp_path, text)
    assert ProgramCache().dataset(run).task == "multiclass"
    assert only_run(tmp_path, text + "task: null\n").id == run.id == "brier-seed0-9b02009b"
    assert only_run(tmp_path, text + "task: multiclass\n").id != run.id


def test_a_dataset_that_does_not_fit_names_the_tasks_that_do(tmp_path):
    run = only_run(tmp_path, "dataset: wine\ntask: survival\nmodel: linear\nlosses: [cox]\n")
    with pytest.raises(UserError, match=r"`wine` is for multiclass.* as survival") as error:
        ProgramCache().dataset(run)
    assert error.value.hint == "expected one of: multiclass, ordinal, embedding"


def test_a_task_of_the_user_is_custom(tmp_path):
    (tmp_path / "own.py").write_text("def mine(): ...\n")
    text = "dataset: wine\ntask: 'own.py:mine'\nmodel: linear\nlosses: [brier]\n"
    with pytest.raises(UserError, match=r"own\.py:mine") as error:
        ProgramCache().dataset(only_run(tmp_path, text))
    assert "`custom`" in error.value.hint


def test_a_loss_and_the_task_read_boxes_alike(tmp_path):
    text = (
        "dataset: digit_boxes\ntask: {name: boxes, form: center}\nmodel: linear\nlosses: [giou]\n"
    )
    with pytest.raises(UserError, match=r"`form: corners`.*`form: center`"):
        preflight.check_shared_options(only_run(tmp_path, text))
    preflight.check_shared_options(only_run(tmp_path, text, "losses.giou.form=center"))


def test_a_part_of_the_evaluation_set_has_whole_groups(tmp_path):
    run = only_run(tmp_path, CARS, "evaluation.size=30", "evaluation.split=train")
    data = ProgramCache().dataset(run)
    groups = np.asarray(evaluation_set(run, data).targets.fields["groups"])
    sizes = {int(group): int((groups == group).sum()) for group in groups}
    whole = data.train.fields["groups"]
    cut = [group for group, size in sizes.items() if (whole == group).sum() != size]
    assert len(groups) == 30
    assert len(sizes) > 1 and cut in ([], [int(groups[-1])])
    assert (np.diff(groups) != 0).sum() == len(sizes) - 1


def test_a_batch_of_a_ranking_has_its_groups_in_one_piece(tmp_path):
    run = only_run(tmp_path, CARS, "batch_size=40", "steps=20")
    cache = ProgramCache()
    data = cache.dataset(run)
    inputs = training_inputs(run, cache.model(run), {}, data, evaluation_set(run, data))
    groups = data.train.fields["groups"][np.asarray(jax.device_get(inputs.order))]
    for batch in groups:
        inner = [g for g in np.unique(batch) if g not in (batch[0], batch[-1])]
        assert all((batch == g).sum() == (data.train.fields["groups"] == g).sum() for g in inner)


@pytest.mark.parametrize(("model", "fits"), [("mlp", False), ("transformer", True)])
def test_a_model_that_would_read_tokens_as_quantities_is_refused(tmp_path, model, fits):
    text = f"dataset: next_character\nmodel: {model}\nlosses: [softmax_cross_entropy]\n"
    run = only_run(tmp_path, text)
    shapes = ModelShapes((8,), 5, (8, 5), vocabulary=5, input_dtype=np.int32)
    with nullcontext() if fits else pytest.raises(UserError, match="read tokens as quantities"):
        build_model(run, shapes)
