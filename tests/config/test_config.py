"""Configs: accepted and refused YAML, and the places of mistakes."""

import json
import subprocess
import sys

import pytest
from helpers.configs import BASE, load, refused, write

from landscape import config
from landscape.errors import UserError


def test_a_short_config_is_filled_in(tmp_path):
    experiment = load(tmp_path)
    assert experiment.name == "quick"
    assert experiment.folder == tmp_path
    assert experiment.seeds == (0, 1, 2, 3, 4, 5)
    assert [loss.label for loss in experiment.losses] == ["softmax_cross_entropy", "brier"]
    assert experiment.optimizer.name == "adam"
    assert experiment.optimizer.options["b1"] == 0.9
    assert experiment.optimizer.schedule is None
    assert experiment.slices.lines[0].points == 41
    assert experiment.slices.direction.options["normalization"] == "filter"


def test_every_key_is_read(tmp_path):
    experiment = load(
        tmp_path,
        """
title: Five losses
name: five
dataset: {name: digits, test_fraction: 0.5}
model: {name: mlp, widths: [32], activation: tanh}
optimizer: {name: sgd, learning_rate: 1e-3, schedule: {name: cosine, final: 1}, clip_norm: 2}
losses: [focal, {name: focal, gamma: 3}, {name: "optax.losses:poly_loss_cross_entropy", epsilon: 1}]
seeds: [3, 1]
steps: 7
batch_size: 8
record_every: 9
evaluation: {split: train, size: 10, batch_size: 11}
gradients: {absolute: 1e-9, relative: 0.1, vanishing: 1e-8, exploding: 1e2}
metrics: [accuracy]
target: 0.9
stop: best
targets: labels
audit: true
slices:
  at: [trained, initial]
  direction: {name: random, normalization: layer}
  lines: null
  planes: {draws: 2, points: [5, 7], radius: 0.5}
  gradients: true
sweep: {model.widths: [[8], [16]]}
""",
    )
    assert experiment.title == "Five losses"
    assert experiment.name == "five"
    assert experiment.dataset.options == {"test_fraction": 0.5, "validation_fraction": 0.2}
    assert experiment.model.options == {"widths": [32], "activation": "tanh"}
    assert experiment.optimizer.options["learning_rate"] == 0.001
    assert experiment.optimizer.schedule.options == {"final": 1.0}
    assert experiment.optimizer.clip_norm == 2.0
    labels = [loss.label for loss in experiment.losses]
    assert labels == ["focal", "focal[gamma=3]", "poly_loss_cross_entropy"]
    assert experiment.losses[2].options == {"epsilon": 1}
    assert experiment.seeds == (3, 1)
    assert (experiment.steps, experiment.batch_size, experiment.record_every) == (7, 8, 9)
    assert experiment.evaluation == config.EvaluationSettings(split="train", size=10, batch_size=11)
    assert experiment.gradients.vanishing == 1e-8
    assert [metric.name for metric in experiment.metrics] == ["accuracy"]
    assert (experiment.target, experiment.targets) == (0.9, "labels")
    assert experiment.stop == "best"
    assert experiment.audit is True
    assert experiment.slices.at == ("trained", "initial")
    assert experiment.slices.lines is None
    assert experiment.slices.planes == (config.Planes(draws=2, points=(5, 7), radius=0.5),)
    assert experiment.sweep == {"model.widths": ([8], [16])}


def test_yaml_is_read_as_version_1_2(tmp_path):
    options = "a: 1e-3, b: no, c: 010, d: 2024-01-01, e: 1_0, f: ~"
    (tmp_path / "mine.py").write_text("def data(seed, **options): return options\n")
    experiment = load(tmp_path, BASE.replace("digits", f'{{name: "mine.py:data", {options}}}'))
    expected = {"a": 0.001, "b": "no", "c": 10, "d": "2024-01-01", "e": 10, "f": None}
    assert list(experiment.dataset.options.items()) == list(expected.items())


def test_anchors_and_merges(tmp_path):
    text = "model: &small {name: mlp, widths: [8]}\ndataset: digits\nlosses: [brier]\n"
    sweep = "sweep: {model: [*small, {<<: *small, activation: tanh}, {widths: [4], <<: *small}]}\n"
    models = {json.dumps(run.model.options) for run in config.expand(load(tmp_path, text + sweep))}
    assert models == {
        '{"widths": [8], "activation": "relu"}',
        '{"widths": [8], "activation": "tanh"}',
        '{"widths": [4], "activation": "relu"}',
    }


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file(text, tmp_path):
    error = refused(tmp_path, text)
    assert "found nothing, expected a mapping" in error.message
    assert error.place.line == 1


@pytest.mark.parametrize("text", ["- digits\n", "digits\n"])
def test_a_file_that_is_not_a_mapping(text, tmp_path):
    assert "expected a mapping" in refused(tmp_path, text).message


def test_a_file_that_is_missing_or_a_folder_or_not_text(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="folder"):
        config.load(tmp_path)
    error = refused(tmp_path, b"title: caf\xe9\n")
    assert "byte 10 is not UTF-8" in error.message


def test_a_tab_is_reported(tmp_path):
    error = refused(tmp_path, BASE + "evaluation:\n\tsplit: test\n")
    assert (error.place.line, error.place.column) == (5, 1)
    assert "spaces" in error.hint


def test_a_repeated_auto_label_falls_back_on_the_full_name(tmp_path):
    for file in ("one.py", "two.py"):
        (tmp_path / file).write_text("def mine(p, t): return p\n")
    text = BASE.replace("[softmax_cross_entropy, brier]", '["one.py:mine", "two.py:mine"]')
    assert [loss.label for loss in load(tmp_path, text).losses] == ["one.py:mine", "two.py:mine"]


def test_a_swept_option_cannot_be_part_of_an_automatic_label(tmp_path):
    losses = "[focal, {name: focal, gamma: 3}]"
    text = BASE.replace("[softmax_cross_entropy, brier]", losses)
    error = refused(tmp_path, text + 'sweep: {"losses.focal[gamma=3].gamma": [4, 5]}\n')
    assert "`label:`" in error.hint


def test_the_schema_describes_configs_as_users_write_them():
    schema = config.schema()
    assert set(schema["required"]) == {"dataset", "model", "losses"}
    assert json.loads(json.dumps(schema)) == schema
    name, full = schema["$defs"]["ModelPart"]["anyOf"]
    assert "mlp" in name["anyOf"][0]["enum"]
    assert full["required"] == ["name"]
    assert full["additionalProperties"] is True
    assert "label" not in schema["$defs"]["LossPart"]["anyOf"][1]["required"]


def test_reading_a_config_loads_nothing_heavy(tmp_path):
    path = write(tmp_path, BASE)
    program = (
        "import sys; from landscape import config\n"
        f"config.expand(config.load({str(path)!r}))\n"
        "print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "landscape.config" in loaded
    heavy = {"jax", "numpy", "pandas", "matplotlib", "sklearn", "scipy", "optax", "equinox"}
    assert not loaded & heavy
