"""Configs: accepted and refused YAML, places of mistakes, expansion and run ids."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landscape import config
from landscape.errors import CombinedError, UserError

BASE = "dataset: digits\nmodel: mlp\nlosses: [softmax_cross_entropy, brier]\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "quick.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(folder: Path, text: str | bytes = BASE, *overrides: str) -> config.Experiment:
    return config.load(write(folder, text), overrides)


def refused(folder: Path, text: str | bytes = BASE, *overrides: str) -> UserError:
    with pytest.raises(UserError) as caught:
        load(folder, text, *overrides)
    return caught.value


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
    assert experiment.dataset.options == {"test_fraction": 0.5}
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


def test_a_file_nested_too_deeply(tmp_path):
    assert "too deeply" in refused(tmp_path, "[" * 5000).message


def test_a_tab_is_reported(tmp_path):
    error = refused(tmp_path, BASE + "evaluation:\n\tsplit: test\n")
    assert (error.place.line, error.place.column) == (5, 1)
    assert "spaces" in error.hint


# What is wrong, the line and column where (the fourth line is what is added to BASE), a piece of
# the message, a piece of the hint.
WRONG = [
    ("steps: 1\nsteps: 2", 5, 1, "duplicate key `steps`, first on line 4", "remove one"),
    ("stepz: 1", 4, 1, "no key `stepz`", "did you mean `steps`?"),
    ("evaluation: {splt: test}", 4, 14, "`evaluation.splt`", "did you mean `evaluation.split`?"),
    ("steps: [1", 5, 1, "not valid YAML", ""),
    ("steps: !count 1", 4, 8, "tag `!count`", ""),
    ("? [steps]\n: 3", 4, 3, "a mapping or a list as a key", ""),
    ("model2: &m {x: *m}", 4, 9, "alias that contains itself", ""),
    ("steps: many", 4, 8, "found the text 'many', expected a whole number", ""),
    ("steps: '3'", 4, 8, "found the text '3'", "without quotes"),
    ("steps: 2.0", 4, 8, "found the number 2.0, expected a whole number", ""),
    ("steps: true", 4, 8, "found true, expected a whole number", ""),
    ("steps: null", 4, 8, "found null", ""),
    ("steps: 0", 4, 8, "greater than or equal to 1", ""),
    ("steps: 3000000000", 4, 8, "less than 2147483648", ""),
    ("steps: " + "9" * 5000, 4, 8, "more than 100 digits", ""),
    ("steps: -5", 4, 8, "found the integer -5", ""),
    ("batch_size: 0", 4, 13, "`batch_size`", ""),
    ("record_every: 0", 4, 15, "`record_every`", ""),
    ("title: 3", 4, 8, "expected text", "quotes"),
    ("name: a/b", 4, 7, "a valid name of a folder", ""),
    ("folder: nowhere", 4, 9, "an existing folder", ""),
    ("seeds: 0", 4, 8, "a count of at least 1", ""),
    ("seeds: true", 4, 8, "a count of at least 1", ""),
    ("seeds: []", 4, 8, "at least one value", ""),
    ("seeds: [1, 2, 1]", 4, 8, "distinct values", ""),
    ("seeds: [1, -2]", 4, 12, "`seeds[1]`: found the integer -2", ""),
    ("audit: 1", 4, 8, "found the integer 1, expected true or false", ""),
    ("target: high", 4, 9, "expected a number", ""),
    ("target: .nan", 4, 9, "found `.nan`, expected a finite number", ""),
    ("targets: onhot", 4, 10, "found the text 'onhot'", "did you mean `onehot`?"),
    ("metrics: []", 4, 10, "at least one value", ""),
    ("metrics: accuracy", 4, 10, "expected a list", "brackets"),
    ("metrics: [acuracy]", 4, 11, "no metric `acuracy`", "did you mean `accuracy`?"),
    ("evaluation: {split: tst}", 4, 21, "found the text 'tst'", "did you mean `test`?"),
    ("evaluation: {size: 0}", 4, 20, "`evaluation.size`", ""),
    ("gradients: {relative: 1.0}", 4, 23, "less than 1", ""),
    ("gradients: {absolute: -1}", 4, 23, "greater than or equal to 0", ""),
    ("slices: {at: []}", 4, 14, "at least one value", ""),
    ("slices: {at: [traned]}", 4, 15, "found the text 'traned'", "did you mean `trained`?"),
    ("slices: {lines: {points: 40}}", 4, 26, "an odd number", ""),
    ("slices: {lines: {points: 1}}", 4, 26, "greater than or equal to 3", ""),
    ("slices: {lines: {radius: 0}}", 4, 26, "greater than 0", ""),
    ("slices: {lines: {radius: atuo}}", 4, 26, "a distance greater than 0, or auto", ""),
    ("slices: {lines: {rise: 0}}", 4, 24, "greater than 0", ""),
    ("slices: {lines: [{points: 4}]}", 4, 27, "`slices.lines[0].points`", ""),
    ("slices: {lines: [{label: a/b}]}", 4, 26, "a line of text without a slash", ""),
    (
        "slices: {lines: [{}, {}]}",
        4,
        9,
        "two sets of lines have the label `random`",
        "the `label:`",
    ),
    (
        "slices: {lines: {direction: gradient, directions: 3}}",
        4,
        17,
        "`directions` is 3, but there is only one `gradient` at a point",
        "leave `directions` out",
    ),
    ("slices: {lines: {direction: gradent}}", 4, 29, "no direction `gradent`", "`gradient`"),
    ("slices: {planes: {axes: [gradient]}}", 4, 25, "expected 2 values", ""),
    ("slices: {planes: {axes: [gradient, gradient]}}", 4, 18, "the same direction", "use two"),
    (
        "slices: {planes: {axes: [eigenvector, {name: eigenvector, index: 1}]}}",
        4,
        18,
        "the same direction",
        "use two",
    ),
    ("slices: {planes: {axes: [gradient, update], draws: 2}}", 4, 18, "only one", "leave `draws`"),
    ("slices: {planes: {eigenvalues: 1}}", 4, 32, "greater than or equal to 2", ""),
    ("slices: {at: [initial], lines: {direction: update}}", 4, 9, "not defined at the initial", ""),
    (
        "slices: {lines: {direction: trajectory}}",
        1,
        1,
        "component 1 of the trajectory needs more than 1 checkpoints",
        "set `checkpoints: 20`",
    ),
    ("curvature: {checkpoints: true}", 1, 1, "no checkpoints are saved", "`checkpoints: 5`"),
    ("curvature: {operators: [hesian]}", 4, 25, "found the text 'hesian'", "`hessian`"),
    ("curvature: {eigenvalues: 0}", 4, 26, "greater than or equal to 1", ""),
    ("checkpoints: -1", 4, 14, "greater than or equal to 0", ""),
    ("across: {interpolations: [seed]}", 4, 27, "found the text 'seed'", "`seeds`"),
    ("slices: {lines: {radius: .inf}}", 4, 26, "finite", ""),
    ("slices: {planes: {points: [31]}}", 4, 27, "expected 2 values", ""),
    ("slices: {planes: {points: [31, 30]}}", 4, 32, "an odd number", ""),
    ("slices: {direction: randm}", 4, 21, "no direction `randm`", "did you mean `random`?"),
    ("optimizer: 3", 4, 12, "expected a name, or a mapping with a `name`", ""),
    ("optimizer: adm", 4, 12, "no optimizer `adm`", "did you mean `adam`?"),
    ("optimizer: {b3: 1}", 4, 13, "no option `b3`", "one of: b1, b2"),
    ("optimizer: {b1: high}", 4, 17, "found the text 'high', expected a number", ""),
    ("optimizer: {clip_norm: 0}", 4, 24, "greater than 0", ""),
    ("optimizer: {schedul: cosine}", 4, 13, "`schedul`", "did you mean `schedule`?"),
    ("optimizer: {schedule: cosin}", 4, 23, "no schedule `cosin`", "did you mean `cosine`?"),
    ("optimizer: {schedule: {final: 0}}", 4, 23, "`optimizer.schedule.name` is missing", ""),
    ("sweep: {stepz: [1]}", 4, 9, "no key `stepz`", "did you mean `steps`?"),
    ("sweep: {optimzer.b1: [1]}", 4, 9, "no key `optimzer.b1`", "did you mean `optimizer`?"),
    ("sweep: {optimizer.b11: [1]}", 4, 9, "no option `b11`", "did you mean `b1`?"),
    ("sweep: {losses.brie.x: [1]}", 4, 9, "no loss is labeled `brie`", "did you mean `brier`?"),
    ("sweep: {losses.brier: [focal]}", 4, 9, "cannot be swept", "`losses.focal.gamma`"),
    ("sweep: {seeds: [1, 2]}", 4, 9, "`seeds` cannot be swept", "optimizer"),
    ("sweep: {slices.gradients: [true]}", 4, 9, "cannot be swept", ""),
    ("sweep: {audit: [true, false]}", 4, 9, "`audit` cannot be swept", "optimizer"),
    ("sweep: {steps: []}", 4, 16, "at least one value", ""),
    ("sweep: {steps: 3}", 4, 16, "expected a list", ""),
    ("sweep: {steps: [1, x]}", 4, 20, "found the text 'x'", ""),
    ("sweep: {steps: [1, 2, 1]}", 4, 23, "the sweep over `steps` lists the integer 1 twice", ""),
    ("sweep: {optimizer: [sgd, adm]}", 4, 26, "no optimizer `adm`", "did you mean `adam`?"),
]


@pytest.mark.parametrize(("added", "line", "column", "message", "hint"), WRONG)
def test_a_mistake_is_reported_with_its_place(added, line, column, message, hint, tmp_path):
    error = refused(tmp_path, BASE + added + "\n")
    assert not isinstance(error, CombinedError)
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.place.file == str(tmp_path / "quick.yaml")
    assert (error.place.line, error.place.column) == (line, column)
    assert error.place.text in ((BASE + added).splitlines()[line - 1 :] or [None])[:1]
    assert f":{line}:{column}: " in str(error)


# The same for the three keys of BASE, by the line that is put in place of one.
WRONG_LINES = [
    ("losses: []", 9, "at least one value", ""),
    ("losses: brier", 9, "expected a list", "brackets"),
    ("losses: [brir]", 10, "no loss `brir`", "did you mean `brier`?"),
    ("losses: [3]", 10, "expected a name", ""),
    ("losses: [{gamma: 3}]", 10, "`losses[0].name` is missing", ""),
    ("losses: [{name: focal, gama: 3}]", 24, "no option `gama`", "did you mean `gamma`?"),
    ("losses: [{name: focal, gamma: x}]", 31, "found the text 'x'", ""),
    ("losses: [focal, focal]", 17, "`focal` is listed twice", "remove"),
    ("losses: [focal, {name: focal, label: b}]", 17, "`focal` is listed twice", "remove"),
    ("losses: [brier, {name: focal, label: brier}]", 17, "have the label `brier`", "label"),
    ('losses: [{name: brier, label: "a\\nb"}]', 31, "a line of text", ""),
    ("losses: [no.py:mine]", 10, "cannot read", "folder of the config"),
    ("losses: [own.py:mini]", 10, "no function `mini`", "did you mean `mine`?"),
    ("losses: [{name: own.py:mine, a: 1}]", 30, "no option `a`", "one of: scale"),
    ("losses: [{name: own.py:mine, scale: x}]", 37, "expected a number", ""),
    ("losses: [own.py:needy]", 10, "needs the option `scale`", ""),
    ("dataset: {name: digits, test_fraction: 1.0}", 40, "between 0 and 1", ""),
    ("dataset: {name: csv, path: no.csv, target: y, task: binary}", 28, "no file", "relative"),
    ("model: {name: mlp, widths: [8, 2.0]}", 28, "whole number", ""),
    ("model: {name: mlp, activation: rel}", 32, "no activation `rel`", "did you mean `relu`?"),
]


@pytest.mark.parametrize(("written", "column", "message", "hint"), WRONG_LINES)
def test_a_mistake_in_a_part_is_reported_with_its_place(written, column, message, hint, tmp_path):
    (tmp_path / "own.py").write_text(
        "def mine(predictions, targets, *, scale: float = 1.0): return predictions\n"
        "def needy(predictions, targets, *, scale): return predictions\n"
    )
    key = written.partition(":")[0]
    lines = [written if line.startswith(key) else line for line in BASE.splitlines()]
    error = refused(tmp_path, "\n".join(lines))
    assert not isinstance(error, CombinedError)
    assert message in error.message
    assert hint in (error.hint or "")
    assert (error.place.line, error.place.column) == (lines.index(written) + 1, column)


def test_a_missing_key_is_reported(tmp_path):
    error = refused(tmp_path, "dataset: digits\nlosses: [brier]\n")
    assert error.message == "the key `model` is missing"


def test_a_syntax_error_in_a_users_file_is_reported_at_its_place(tmp_path):
    (tmp_path / "own.py").write_text("def mine(p, t)\n    return p\n")
    error = refused(tmp_path, BASE.replace("brier", "own.py:mine"))
    assert error.place.file == str(tmp_path / "own.py")
    assert (error.place.line, error.place.column) == (1, 15)


def test_all_mistakes_are_reported_in_the_order_of_the_file(tmp_path):
    text = (
        "dataset: digts\nmodel: {name: mlp, widths: 3}\nlosses: [brier]\nstepz: 3\nbatch_size: 0\n"
    )
    error = refused(tmp_path, text)
    assert isinstance(error, CombinedError)
    assert [one.place.line for one in error.errors] == [1, 2, 4, 5]
    assert all(str(one) in str(error) for one in error.errors)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


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


OVERRIDES = [
    (["steps=7"], lambda e: e.steps, 7),
    (["title=Hello, world"], lambda e: e.title, "Hello, world"),
    (["name=other"], lambda e: e.name, "other"),
    (["dataset.test_fraction=0.5"], lambda e: e.dataset.options["test_fraction"], 0.5),
    (["model.widths=[8,4]"], lambda e: e.model.options["widths"], [8, 4]),
    (["model.widths=8,4"], lambda e: e.model.options["widths"], [8, 4]),
    (["model.widths=8"], lambda e: e.model.options["widths"], [8]),
    (["model=linear"], lambda e: e.model, config.ModelPart(name="linear")),
    (["model={name: mlp, widths: [2]}"], lambda e: e.model.options["widths"], [2]),
    (["optimizer.learning_rate=1e-2"], lambda e: e.optimizer.options["learning_rate"], 0.01),
    (["optimizer.learning_rate=1"], lambda e: e.optimizer.options["learning_rate"], 1.0),
    (["optimizer.schedule=cosine"], lambda e: e.optimizer.schedule.name, "cosine"),
    (
        ["optimizer.schedule=cosine", "optimizer.schedule.final=0.5"],
        lambda e: e.optimizer.schedule.options,
        {"final": 0.5},
    ),
    (["losses=focal"], lambda e: [x.name for x in e.losses], ["focal"]),
    (["losses=focal,brier"], lambda e: [x.name for x in e.losses], ["focal", "brier"]),
    (["losses={name: focal, gamma: 1},brier"], lambda e: e.losses[0].options["gamma"], 1.0),
    (["losses=[focal]"], lambda e: [x.name for x in e.losses], ["focal"]),
    (["losses.brier=focal"], lambda e: [x.label for x in e.losses][1], "focal"),
    (["losses.brier.label=B"], lambda e: [x.label for x in e.losses][1], "B"),
    (["losses=focal", "losses.focal.gamma=3"], lambda e: e.losses[0].options["gamma"], 3.0),
    (["seeds=2"], lambda e: e.seeds, (0, 1)),
    (["seeds=4,2"], lambda e: e.seeds, (4, 2)),
    (["seeds=[5]"], lambda e: e.seeds, (5,)),
    (["metrics=accuracy"], lambda e: [m.name for m in e.metrics], ["accuracy"]),
    (["metrics=accuracy", "metrics=null"], lambda e: e.metrics, None),
    (["slices=null"], lambda e: e.slices, None),
    (["slices.planes=null"], lambda e: (e.slices.planes, e.slices.lines[0].points), (None, 41)),
    (["slices.planes.points=5,7"], lambda e: e.slices.planes[0].points, (5, 7)),
    (["slices=null", "slices.lines.points=5"], lambda e: e.slices.lines[0].points, 5),
    (["slices.at=trained,initial"], lambda e: e.slices.at, ("trained", "initial")),
    (["slices.lines.radius=auto"], lambda e: e.slices.lines[0].radius, "auto"),
    (["slices.lines.0.points=7"], lambda e: e.slices.lines[0].points, 7),
    (
        ["slices.lines=[{}, {direction: gradient}]", "slices.lines.1.points=7"],
        lambda e: [lines.points for lines in e.slices.lines],
        [41, 7],
    ),
    (
        ["slices.planes.axes=[eigenvector, random]"],
        lambda e: e.slices.plane_labels(),
        ["eigenvector \N{MULTIPLICATION SIGN} random"],
    ),
    (
        ["slices.lines=[{}, {direction: {name: random, normalization: none}}]"],
        lambda e: e.slices.line_labels(),
        ["random", "random[normalization=none]"],
    ),
    (["slices.lines={label: near}"], lambda e: e.slices.line_labels(), ["near"]),
    (
        ["curvature={}"],
        lambda e: (e.curvature.operators, e.curvature.at),
        (("hessian",), ("trained",)),
    ),
    (["curvature.operators=hessian,gauss_newton"], lambda e: len(e.curvature.operators), 2),
    (["across.interpolations=seeds"], lambda e: e.across.interpolations, ("seeds",)),
    (["audit=true"], lambda e: e.audit, True),
    (["evaluation.size=null"], lambda e: e.evaluation.size, None),
    (["steps=1,2"], lambda e: e.sweep, {"steps": (1, 2)}),
    (["optimizer=sgd,adam"], lambda e: e.sweep, {"optimizer": ("sgd", "adam")}),
    (["model.widths=[8],[16]"], lambda e: e.sweep, {"model.widths": ([8], [16])}),
    (["steps=1,2", "steps=3"], lambda e: (e.steps, e.sweep), (3, {})),
]


@pytest.mark.parametrize(("arguments", "read", "expected"), OVERRIDES)
def test_overrides(arguments, read, expected, tmp_path):
    assert read(load(tmp_path, BASE, *arguments)) == expected


def test_a_label_may_have_dots(tmp_path):
    losses = "[focal, {name: focal, label: focal.b, gamma: 1}]"
    text = BASE.replace("[softmax_cross_entropy, brier]", losses)
    experiment = load(tmp_path, text, "losses.focal.b.gamma=5")
    assert [loss.options["gamma"] for loss in experiment.losses] == [2.0, 5.0]


def test_an_override_replaces_a_sweep_over_its_key(tmp_path):
    text = BASE + "sweep: {steps: [1, 2], batch_size: [3, 4]}\n"
    experiment = load(tmp_path, text, "steps=5")
    assert (experiment.steps, experiment.sweep) == (5, {"batch_size": (3, 4)})


@pytest.mark.parametrize(
    ("argument", "message", "hint"),
    [
        ("steps", "expected `key=value`", "optimizer.learning_rate=0.01"),
        ("=3", "expected `key=value`", ""),
        ("stepz=3", "no key `stepz`", "did you mean `steps`?"),
        ("evaluation.siz=3", "no key `evaluation.siz`", "did you mean `evaluation.size`?"),
        ("steps.more=3", "no key `steps.more`", "`steps` has no keys"),
        ("sweep.steps=1,2", "found the key `sweep.steps`", "write `steps=1,2`"),
        ("steps=x", "found the text 'x'", ""),
        ("steps=1,x", "found the text 'x'", ""),
        ("steps=1,1", "twice", ""),
        ("steps=[1", "not valid YAML", ""),
        ("target=.inf", "finite", ""),
        ("losses.focl.gamma=3", "no loss is labeled `focl`", "brier"),
        ("losses.brier.gamma=3", "no option `gamma`", ""),
        ("losses=brier,brir", "no loss `brir`", "did you mean `brier`?"),
        ("model=linaer", "no model `linaer`", "did you mean `linear`?"),
        ("model.width=3", "no option `width`", "did you mean `widths`?"),
        ("slices.lines.points=4", "an odd number", ""),
        ("slices.lines.1.points=5", "there is no `slices.lines.1`", "the last is `slices.lines.0`"),
        ("slices.lines.pints=5", "no key `slices.lines.pints`", "`slices.lines.points`"),
    ],
)
def test_a_wrong_override_is_reported_as_the_place(argument, message, hint, tmp_path):
    error = refused(tmp_path, BASE, argument)
    assert message in error.message
    assert hint in (error.hint or "")
    assert (error.place.file, error.place.line) == (f"argument `{argument}`", None)


def test_all_wrong_overrides_are_reported(tmp_path):
    error = refused(tmp_path, BASE, "stepz=1", "batch=2")
    assert len(error.errors) == 2


def test_expansion_is_ordered_by_point_then_seed_then_loss(tmp_path):
    runs = config.expand(load(tmp_path, BASE, "seeds=3,1", "steps=1,2"))
    order = [(run.swept["steps"], run.seed, run.loss.label) for run in runs]
    assert order == [
        (steps, seed, loss)
        for steps in (1, 2)
        for seed in (3, 1)
        for loss in ("softmax_cross_entropy", "brier")
    ]
    assert all(run.steps == run.swept["steps"] for run in runs)
    assert runs == config.expand(load(tmp_path, BASE, "seeds=3,1", "steps=1,2"))


def test_a_sweep_over_an_option_of_a_loss_multiplies_only_that_loss(tmp_path):
    text = BASE.replace("brier", "focal")
    runs = config.expand(load(tmp_path, text, "seeds=1", "losses.focal.gamma=1,2,3", "steps=5,6"))
    found = [(run.steps, run.loss.label, run.loss.options.get("gamma"), run.swept) for run in runs]
    expected = []
    for steps in (5, 6):
        expected.append((steps, "softmax_cross_entropy", None, {"steps": steps}))
        for gamma in (1, 2, 3):
            swept = {"steps": steps, "losses.focal.gamma": gamma}
            expected.append((steps, "focal", float(gamma), swept))
    assert found == expected
    assert runs[1].id.startswith("focal-gamma=1.0-steps=5-seed0-")


def test_a_swept_part_is_set_before_its_options(tmp_path):
    arguments = ["optimizer.learning_rate=0.1,0.2", "optimizer=sgd,adam", "seeds=1", "losses=brier"]
    runs = config.expand(load(tmp_path, BASE, *arguments))
    found = {(run.optimizer.name, run.optimizer.options["learning_rate"]) for run in runs}
    assert found == {("sgd", 0.1), ("sgd", 0.2), ("adam", 0.1), ("adam", 0.2)}


def test_an_inconsistent_sweep_point_is_reported(tmp_path):
    experiment = load(tmp_path, BASE, "model=mlp,linear", "model.widths=[8],[16]")
    with pytest.raises(UserError) as caught:
        config.expand(experiment)
    assert "no option `widths`" in caught.value.message
    assert "model=linear, model.widths=[8]" in caught.value.place.file


def test_the_same_training_twice_is_refused(tmp_path):
    experiment = load(tmp_path, BASE, "model=mlp,{name: mlp, widths: [64]}")
    with pytest.raises(UserError, match="same training"):
        config.expand(experiment)


def own_parts(folder: Path) -> str:
    """Returns a config of parts outside of the menu, whose defaults must not change these ids."""
    (folder / "own.py").write_text("def mine(p, t, *, scale: float = 1.0): return scale * p\n")
    return (
        'dataset: "mine.data:numbers"\nmodel: "mine.models:small"\n'
        'optimizer: "mine.optimizers:step"\nlosses: ["own.py:mine"]\nseeds: 1\n'
    )


def ids(folder: Path, *overrides: str, text: str = "") -> list[str]:
    return [run.id for run in config.expand(load(folder, text or own_parts(folder), *overrides))]


def test_ids_are_stable(tmp_path):
    """A change of an id orphans every stored run, so ids change only if the training does."""
    assert ids(tmp_path) == ["mine-seed0-aae173d9"]


@pytest.mark.parametrize(
    "override",
    [
        "dataset=mine.data:others",
        "dataset.rows=3",
        "model=mine.models:large",
        "model.depth=3",
        "optimizer=mine.optimizers:leap",
        "optimizer.rate=1.0",
        "optimizer.schedule=cosine",
        "optimizer.clip_norm=1.0",
        "losses.mine.scale=2.0",
        "seeds=[1]",
        "steps=601",
        "batch_size=65",
        "record_every=21",
        "evaluation.split=train",
        "evaluation.size=9",
        "evaluation.batch_size=9",
        "gradients.absolute=0.1",
        "gradients.relative=0.1",
        "gradients.vanishing=0.1",
        "gradients.exploding=0.1",
        "metrics=accuracy",
        "targets=labels",
        "checkpoints=5",
    ],
)
def test_settings_that_affect_the_training_change_the_id(override, tmp_path):
    before, after = ids(tmp_path), ids(tmp_path, override)
    assert before[0][-8:] != after[0][-8:]


@pytest.mark.parametrize(
    "override",
    [
        "title=Something",
        "name=other",
        "target=0.5",
        "losses.mine.label=M",
        "losses.mine.scale=1",
        "slices=null",
        "slices.gradients=true",
        "slices.lines.points=5",
        "audit=true",
        "optimizer.schedule=null",
    ],
)
def test_settings_that_do_not_affect_the_training_keep_the_id(override, tmp_path):
    assert ids(tmp_path) == ids(tmp_path, override)


def test_ids_depend_on_content_and_not_on_paths(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert ids(one) == ids(two)
    text = own_parts(two)
    before = ids(two)
    (two / "own.py").write_text("def mine(p, t, *, scale: float = 1.0): return p * scale\n")
    assert [run.id for run in config.expand(load(two, text))] != before


def test_ids_depend_on_the_content_of_data_files(tmp_path):
    dataset = "{name: csv, path: PATH, target: y, task: regression}"
    text = own_parts(tmp_path).replace('"mine.data:numbers"', dataset)
    for name, value in (("a.csv", 2), ("b.csv", 2), ("c.csv", 3)):
        (tmp_path / name).write_text(f"x,y\n1,{value}\n")
    a, b, c = (ids(tmp_path, text=text.replace("PATH", f"{n}.csv")) for n in "abc")
    assert a == b
    assert a != c


def test_measurement_changes_only_with_the_slices_and_the_audit(tmp_path):
    def measurement(*overrides):
        return config.expand(load(tmp_path, own_parts(tmp_path), *overrides))[0].measurement

    assert measurement("audit=true") not in (
        measurement(),
        measurement("audit=true", "slices=null"),
    )
    assert measurement("audit=true", "slices=null") != measurement("slices=null")
    assert measurement("audit=true", "steps=3", "title=T") == measurement("audit=true")
    assert measurement("slices.lines.points=5") != measurement()
    assert measurement("slices=null") != measurement()
    assert measurement("curvature={}") != measurement()
    assert measurement("across={}") == measurement()
    assert measurement("slices.direction.normalization=layer") != measurement()
    assert measurement("steps=3", "seeds=[4]", "title=T") == measurement()


def test_ids_are_readable_short_and_safe_as_file_names(tmp_path):
    text = own_parts(tmp_path)
    assert ids(tmp_path, "losses.mine.scale=2", "steps=5,6")[0].startswith(
        "mine-scale=2.0-steps=5-seed0-"
    )
    long = "dataset." + "x" * 150 + "=1,'a/b c:ü'"
    found = ids(tmp_path, long, "losses.mine.label=a/b", text=text)
    assert len(set(found)) == 2
    for name in found:
        assert len(name) <= 100
        assert re.fullmatch(r"[A-Za-z0-9_=.+-]+", name)


def test_a_run_is_loaded_without_its_parts(tmp_path):
    run = config.expand(load(tmp_path, own_parts(tmp_path), "steps=5,6"))[1]
    (tmp_path / "config.yaml").write_text(config.dump(run))
    (tmp_path / "own.py").unlink()
    assert config.read_run(tmp_path / "config.yaml") == run
    assert config.run_from(config.dump(run)) == run
    assert run.swept == {"steps": 6}
    assert run.label == "mine, steps=6, seed 0"


def test_a_damaged_run_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        config.read_run(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="missing"):
        config.run_from("seed: 0\n")
    with pytest.raises(UserError, match="YAML"):
        config.run_from("{")


def test_experiments_and_runs_are_frozen_and_can_be_pickled(tmp_path):
    experiment = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        experiment.steps = 3
    assert pickle.loads(pickle.dumps(experiment)) == experiment


_numbers = st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(max_size=8) | st.sampled_from(
    ["no", "null", "1e-3", "1_0", "~", "<<", "a: b", "# x", " x ", "x\n\ny", "\x85", "\u2028", "é"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
_options = st.dictionaries(_texts.map("option_".__add__), _values, max_size=3)
_parts = st.sampled_from(["pkg.a:one", "pkg.b:two", "c:three"])
_positive = st.floats(min_value=1e-300, max_value=1e300)
_odd = st.integers(1, 500).map(lambda n: 2 * n + 1)
_radius = _positive | st.just("auto")
_lines = st.builds(config.Lines, directions=st.integers(1, 9), points=_odd, radius=_radius)
_planes = st.builds(
    config.Planes, draws=st.integers(1, 9), points=st.tuples(_odd, _odd), radius=_radius
)
_curvature = st.builds(
    config.CurvatureSettings,
    eigenvalues=st.integers(1, 9),
    at=st.permutations(["trained", "initial"]).map(tuple),
)
_slices = st.builds(
    config.SliceSettings,
    at=st.permutations(["trained", "initial"]).map(tuple),
    direction=st.builds(config.DirectionPart, name=_parts, options=_options),
    lines=st.none() | _lines.map(lambda one: (one,)),
    planes=st.none() | _planes.map(lambda one: (one,)),
    gradients=st.booleans(),
)
_optimizers = st.builds(
    config.OptimizerPart,
    name=_parts,
    options=_options,
    schedule=st.none() | st.builds(config.SchedulePart, name=_parts, options=_options),
    clip_norm=st.none() | _positive,
)
_losses = st.lists(
    st.builds(
        config.LossPart,
        name=_parts,
        options=_options,
        label=st.text(min_size=1, max_size=12).filter(lambda s: s.strip() and s.isprintable()),
    ),
    min_size=1,
    max_size=3,
    unique_by=(lambda loss: loss.label, lambda loss: (loss.name, json.dumps(loss.options))),
).map(tuple)
_experiments = st.builds(
    config.Experiment,
    title=st.none() | st.text(max_size=20),
    dataset=st.builds(config.DatasetPart, name=_parts, options=_options),
    model=st.builds(config.ModelPart, name=_parts, options=_options),
    optimizer=_optimizers,
    losses=_losses,
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True).map(tuple),
    steps=st.integers(1, 10**9),
    evaluation=st.builds(config.EvaluationSettings, size=st.none() | st.integers(1, 10**6)),
    gradients=st.builds(config.GradientSettings, absolute=_positive, exploding=_positive),
    metrics=st.none()
    | st.builds(config.MetricPart, name=_parts, options=_options).map(lambda m: (m,)),
    target=st.none() | _numbers,
    targets=st.sampled_from(["auto", "onehot", "labels"]),
    slices=st.none() | _slices,
    checkpoints=st.integers(0, 20),
    curvature=st.none() | _curvature,
    across=st.none() | st.builds(config.AcrossSettings, losses=st.booleans()),
    audit=st.booleans(),
    sweep=st.just({}) | st.just({"steps": (1, 2), "model.depth": (None, "1e-3", [2])}),
)
_many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@given(_experiments)
@_many
def test_a_dumped_experiment_loads_as_an_equal_value(folder, experiment):
    experiment = experiment.model_copy(update={"folder": folder})
    assert load(folder, config.dump(experiment)) == experiment


@given(_experiments)
@_many
def test_the_number_of_runs_is_the_product(folder, experiment):
    experiment = experiment.model_copy(update={"folder": folder})
    points = 6 if experiment.sweep else 1
    runs = config.expand(experiment)
    assert len(runs) == len(experiment.losses) * len(experiment.seeds) * points
    assert len({run.id for run in runs}) == len(runs)
    for run in runs[:3]:
        assert config.run_from(config.dump(run)) == run


def test_a_loaded_experiment_is_dumped_in_full_and_loads_again(tmp_path):
    text = BASE + "optimizer: {learning_rate: 0.1, schedule: cosine}\nsweep: {steps: [1, 2]}\n"
    experiment = load(tmp_path, text)
    keys = re.findall(r"^(\w+):", config.dump(experiment), re.MULTILINE)
    assert keys == list(config.Experiment.model_fields)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = load(elsewhere, config.dump(experiment))
    assert again == experiment
    assert [run.id for run in config.expand(again)] == [r.id for r in config.expand(experiment)]


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
