"""Expansion into runs, and ids that depend only on what affects the training."""

import re
from pathlib import Path

import pytest
from helpers.configs import BASE, load, own_parts

from landscape import config
from landscape.errors import UserError


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


def ids(folder: Path, *overrides: str, text: str = "") -> list[str]:
    return [run.id for run in config.expand(load(folder, text or own_parts(folder), *overrides))]


def test_ids_are_stable(tmp_path):
    """A change of an id orphans every stored run, so ids change only if the training does."""
    assert ids(tmp_path) == ["mine-seed0-7899ce3e"]


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
