"""Overrides: keys, values, lists and sweeps from the command line."""

import pytest
from helpers.configs import BASE, load, refused

from landscape import config

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
    (["metrics=null"], lambda e: e.metrics, None),
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
        ("learning_rate=1", "no key `learning_rate`", "did you mean `optimizer.learning_rate`?"),
        ("widths=[8]", "no key `widths`", "did you mean `model.widths`?"),
        ("lines=null", "no key `lines`", "did you mean `slices.lines`?"),
        ("clip_norm=1", "no key `clip_norm`", "did you mean `optimizer.clip_norm`?"),
        ("foo.bar=1", "no key `foo.bar`", "`landscape schema` describes all keys"),
        ("foo.learning_rate=1", "no key `foo.", "did you mean `optimizer.learning_rate`?"),
        ("evaluation.foo=1", "no key `evaluation.foo`", "evaluation.size, evaluation.split"),
        ("optimzer.b1=0.5", "no key `optimzer.b1`", "did you mean `optimizer.b1`?"),
        (
            "slices.lins.points=5",
            "no key `slices.lins.points`",
            "`slices.lines.points`",
        ),
        ("steps=[1", "not valid YAML", ""),
        ("target=.inf", "finite", ""),
        ("losses.focl.gamma=3", "no loss is labeled `focl`", "brier"),
        ("losses.brier.gamma=3", "no option `gamma`", ""),
        ("losses=brier,brir", "no loss `brir`", "did you mean `brier`?"),
        ("dataset=nosuch.csv", "no dataset `nosuch.csv`", "{name: csv, path: nosuch.csv, "),
        ("dataset=data.npz", "no dataset `data.npz`", "{name: npz, path: data.npz, task: TASK}"),
        ("dataset=data.json", "no dataset `data.json`", "`landscape list datasets` lists all"),
        ("losses=[mine.angle]", "no loss `mine.angle`", "`mine:angle`"),
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


@pytest.mark.parametrize("arguments", [["steps", "=", "5"], ["steps=", "5"], ["steps", "=5"]])
def test_spaces_around_the_equals_sign_are_refused(arguments, tmp_path):
    error = refused(tmp_path, BASE, *arguments)
    assert "no spaces around `=`" in error.message
    assert error.hint == "write `steps=5`"


def test_a_key_that_is_set_twice_is_refused(tmp_path):
    error = refused(tmp_path, BASE, "steps=5", "seeds=1", "steps=6")
    assert error.message == "`steps` is set twice"
    assert "`steps=5,6`" in error.hint
    assert error.place.file == "argument `steps=6`"


def test_all_wrong_overrides_are_reported(tmp_path):
    error = refused(tmp_path, BASE, "stepz=1", "batch=2")
    assert len(error.errors) == 2
