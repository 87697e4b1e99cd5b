"""A loss that must win on the dataset of each task, over one that ignores the targets."""

import json
from pathlib import Path

import pytest
from helpers.in_process_runs import ended_runs

from landscape import catalog, config
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import store

CUSTOM = Path(__file__).parents[2] / "configs" / "custom.py"
BLIND = """
import jax.numpy as jnp

def blind(predictions, targets):
    return jnp.mean(predictions.astype(jnp.float32) ** 2)
"""
ROWS = "{name: digit_sets, size: 400}"
MASKS = "{name: digit_masks, size: 40}"
FRAGMENTS = "{name: digit_masks, size: 40, fragments: true}"
UNET = "{name: unet, depth: 1, channels: 4}"
BOXES = "{name: digit_boxes, size: 600}"
TEXT = "{name: next_character, length: 8}"
TRANSFORMER = "{name: transformer, width: 8, depth: 1, heads: 1, causal: true}"
WIND = "'custom.py:wind'"
# By task, with what is special after a comma: dataset, model, loss, learning rate, steps, and the
# value on the test split that the loss passes and the other one does not.
CASES = {
    "regression": ("diabetes", "linear", "squared_error", 0.03, 80, 0.3),
    "distribution": ("diabetes", "{name: mlp, widths: [8]}", "crps_gaussian", 0.03, 80, 0.5),
    "binary": ("breast_cancer", "linear", "sigmoid_cross_entropy", 0.03, 40, 0.9),
    "multiclass": ("wine", "linear", "softmax_cross_entropy", 0.03, 60, 0.85),
    "ordinal": ("car_mileage", "linear", "coral", 0.05, 80, 0.7),
    "multilabel": (ROWS, "linear", "sigmoid_cross_entropy", 0.02, 120, 0.5),
    "segmentation": (MASKS, UNET, "cross_entropy_dice", 0.03, 20, 0.3),
    "segmentation, three classes": (FRAGMENTS, UNET, "cross_entropy_dice", 0.03, 20, 0.4),
    "boxes": (BOXES, "{name: mlp, widths: [32]}", "smooth_l1", 0.01, 150, 0.5),
    "embedding": ("digits", "linear", "supervised_contrastive", 0.01, 60, 0.95),
    "ranking": ("car_ranking", "linear", "ranknet", 0.03, 80, 0.9),
    "survival": ("digit_survival", "{name: mlp, widths: [16]}", "cox", 0.01, 100, 0.7),
    "sequence": (TEXT, TRANSFORMER, "softmax_cross_entropy", 0.03, 80, 0.2),
    "custom": (WIND, "{name: mlp, widths: [16]}", "custom.py:one_minus_cosine", 0.02, 120, 30.0),
}


def test_every_task_has_a_case():
    assert {case.partition(",")[0] for case in CASES} == set(catalog.task_names())


# The others are trained in the second tier; `test_run_tasks.py` has a run of a sequence.
FIRST = ("binary", "multilabel", "segmentation, three classes", "survival")


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=() if c in FIRST else pytest.mark.exhaustive) for c in CASES],
)
def test_a_loss_of_the_task_wins_over_one_that_ignores_the_targets(case, tmp_path):
    dataset, model, loss, rate, steps, threshold = CASES[case]
    task = case.partition(",")[0]
    (tmp_path / "own.py").write_text(BLIND)
    (tmp_path / "custom.py").write_text(CUSTOM.read_text())
    batch = 24 if task == "segmentation" else 64
    metrics = "['custom.py:mean_angle']" if task == "custom" else "null"
    (tmp_path / "a.yaml").write_text(
        f"dataset: {dataset}\ntask: {task}\nmodel: {model}\nmetrics: {metrics}\n"
        f"optimizer: {{name: adam, learning_rate: {rate}}}\n"
        f"losses: [{{name: '{loss}', label: right}}, 'own.py:blind']\n"
        f"seeds: 1\nsteps: {steps}\nbatch_size: {batch}\nrecord_every: {steps}\nslices: null\n"
    )
    runs, cache = config.expand(config.load(tmp_path / "a.yaml", ())), ProgramCache()
    prepare(runs, cache)
    summaries = {}
    for run, status, _ in ended_runs(runs, tmp_path, cache):
        folder = store.run_folder(tmp_path, run.id)
        assert status == "done", (folder / "error.txt").read_text()
        summaries[run.loss.label] = json.loads((folder / "summary.json").read_text())
    right, blind = summaries["right"], summaries["blind"]
    metric = right["primary_metric"]
    sign = 1 if right["higher_is_better"][metric] else -1
    assert right["task"] == task
    assert sign * right["test"][metric] > sign * threshold > sign * blind["test"][metric]
    constant = {name: v for name, v in right["baselines"].items() if name != "untrained"}
    assert all(sign * right["test"][metric] > sign * value for value in constant.values())
