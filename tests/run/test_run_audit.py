"""The audit as a part of a run: what is asked of it, when it is made, what is stored of it."""

import json
import sys
import types

import pytest
from helpers.in_process_runs import ended_runs, planned_actions

from landscape import config
from landscape.errors import Place, UserError
from landscape.run import perform as run_module
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_files, disk, store
from landscape.storage.audit_records import Audit, LossShapes, Property

# A run of this program before there was the key `audit`, written by it.
OLD_CONFIG = """\
id: mine-seed0-7899ce3e
loss:
  name: own.py:mine
  options: {scale: 1.0}
  label: mine
seed: 0
swept: {}
dataset:
  name: mine.data:numbers
  options: {}
model:
  name: mine.models:small
  options: {}
optimizer:
  name: mine.optimizers:step
  options: {}
  schedule: null
  clip_norm: null
steps: 600
batch_size: 64
record_every: 20
evaluation: {split: validation, size: null, batch_size: 512}
gradients: {absolute: 0.0, relative: 0.0, vanishing: 1e-07, exploding: 1000.0}
metrics: null
targets: auto
slices: null
measurement: 74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b
folder: FOLDER
"""
OWN = (
    'dataset: "mine.data:numbers"\nmodel: "mine.models:small"\n'
    'optimizer: "mine.optimizers:step"\nlosses: ["own.py:mine"]\nseeds: 1\n'
)
QUICK = """
dataset: DATASET
model: linear
losses: LOSSES
seeds: 3
steps: 2
batch_size: 8
record_every: 1
evaluation: {size: 8}
slices: null
"""


class FakeAudits:
    """Stands in for `landscape.audit`: remembers what it was asked and answers with numbers."""

    def __init__(self):
        self.asked = []
        self.raises = None

    def audit(self, loss, **options):
        self.asked.append((loss, options))
        if self.raises is not None:
            raise self.raises
        limit = Property([0.0, float("inf")], "measured")
        shapes = LossShapes(x=(0.5, float("nan")), lines=())
        facts = (options["name"], "loss", "multiclass", "real", None, "care")
        return Audit(*facts, {"range": limit}, (), shapes=shapes)


@pytest.fixture
def fake(monkeypatch):
    fake, module = FakeAudits(), types.ModuleType("landscape.audit")
    module.audit = fake.audit
    monkeypatch.setitem(sys.modules, "landscape.audit", module)
    return fake


def plan_runs(folder, *overrides, losses="[softmax_cross_entropy]", dataset="wine"):
    path = folder / "quick.yaml"
    path.write_text(QUICK.replace("LOSSES", losses).replace("DATASET", dataset))
    return config.expand(config.load(path, overrides))


def perform(runs, out):
    workshop = ProgramCache()
    prepare(runs, workshop)
    return {run.id: status for run, status, _ in ended_runs(runs, out, workshop)}


def own_runs(folder, *overrides):
    """Runs that are not judged, since digests of before did not depend on it."""
    (folder / "own.py").write_text("def mine(p, t, *, scale: float = 1.0): return scale * p\n")
    (folder / "own.yaml").write_text(OWN)
    return config.expand(config.load(folder / "own.yaml", overrides), judged=False)


@pytest.mark.parametrize(
    ("override", "digest"),
    [
        ("seeds=1", "332128f0c54a7e48b1966feb9e966035513ba4fbf274a5c84d6776b125cd5066"),
        ("slices=null", "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"),
        (
            "slices.lines.points=5",
            "dc075dd228e352067fe5d704bd03f96e4fa040b0d872605f6be71d0d61bc89aa",
        ),
    ],
)
def test_without_an_audit_the_digest_is_that_of_the_slices_alone(override, digest, tmp_path):
    (run,) = own_runs(tmp_path, override)
    assert (run.id, run.measurement) == ("mine-seed0-7899ce3e", digest)
    (with_audit,) = own_runs(tmp_path, override, "audit=true")
    assert with_audit.id == run.id
    assert with_audit.measurement != digest


def test_a_run_of_before_reads_back_without_an_audit_and_counts_as_done(tmp_path):
    (run,) = own_runs(tmp_path, "slices=null")
    folder = store.run_folder(tmp_path, run.id)
    disk.write_text(folder / "config.yaml", OLD_CONFIG.replace("FOLDER", str(tmp_path)))
    store.write_run_files(folder, {}, "done")
    old = config.run_from((folder / "config.yaml").read_text())
    assert old.audit is False
    assert old == run
    decided = planned_actions([run], tmp_path)
    assert decided == {run.id: "done"}
    decided = planned_actions(own_runs(tmp_path, "slices=null", "audit=true"), tmp_path)
    assert decided == {run.id: "measure"}


def test_a_run_with_an_audit_says_so_in_its_config(tmp_path):
    (run,) = own_runs(tmp_path, "audit=true")
    assert "\naudit: true\n" in config.dump(run)
    assert config.run_from(config.dump(run)) == run


def test_many_seeds_and_optimizers_make_one_audit_a_loss(tmp_path, fake):
    losses = "[softmax_cross_entropy, {name: focal, gamma: 1, label: F}]"
    sweeping = "optimizer.learning_rate=0.1,0.01"
    runs = plan_runs(tmp_path, "audit=true", sweeping, losses=losses)
    assert set(perform(runs, tmp_path / "out").values()) == {"done"} and len(runs) == 12
    assert [options["name"] for _, options in fake.asked] == ["softmax_cross_entropy", "F"]
    texts = {}
    for run in runs:
        path = store.run_folder(tmp_path / "out", run.id) / "audit.json"
        texts.setdefault(run.loss.label, set()).add(path.read_bytes())
    assert [len(found) for found in texts.values()] == [1, 1]


def test_a_loss_is_audited_as_it_is_trained(tmp_path, fake):
    losses = "[{name: focal, gamma: 1, label: F}]"
    perform(plan_runs(tmp_path, "audit=true", losses=losses), tmp_path / "out")
    ((loss, options),) = fake.asked
    assert loss.keywords == {"gamma": 1.0}
    assert loss.func.__module__ == "landscape.parts.losses.multiclass"
    assert options["task"] == "multiclass" and options["name"] == "F"
    assert options["order"] == "predictions-first"


LABELS = (
    "import optax\n\n\n"
    "def mine(predictions, targets):\n"
    "    return optax.softmax_cross_entropy_with_integer_labels(predictions, targets)\n"
)


@pytest.mark.parametrize(
    ("dataset", "loss", "task", "targets"),
    [
        ("wine", "brier", "multiclass", "onehot"),
        ("wine", "mine.py:mine", "multiclass", "labels"),
        ("breast_cancer", "brier", "binary", "zero_one"),
        ("diabetes", "huber", "regression", "auto"),
    ],
)
def test_the_audit_receives_the_task_and_the_form_of_the_targets(
    dataset, loss, task, targets, tmp_path, fake
):
    (tmp_path / "mine.py").write_text(LABELS)
    runs = plan_runs(tmp_path, "audit=true", losses=f'["{loss}"]', dataset=dataset)
    perform(runs, tmp_path / "out")
    ((_, options),) = fake.asked
    assert (options["task"], options["targets"]) == (task, targets)


def test_the_audit_is_stored_with_its_shapes_and_without_numbers_that_json_lacks(tmp_path, fake):
    runs = plan_runs(tmp_path, "audit=true", "seeds=1")
    perform(runs, tmp_path / "out")
    folder = store.run_folder(tmp_path / "out", runs[0].id)
    stored = json.loads((folder / "audit.json").read_text(), parse_constant=pytest.fail)
    assert (stored["loss"], stored["verdict"]) == ("softmax_cross_entropy", "care")
    assert stored["properties"]["range"]["value"] == [0.0, "Infinity"]
    assert stored["shapes"]["x"] == [0.5, "NaN"]
    assert json.loads((folder / "meta.json").read_text())["seconds"].keys() == {
        "train",
        "test",
        "audit",
    }


def test_no_audit_is_made_where_none_is_asked_for(tmp_path, fake):
    runs = plan_runs(tmp_path)
    perform(runs, tmp_path / "out")
    assert fake.asked == []
    assert list((tmp_path / "out").rglob("audit.json")) == []
    folder = store.run_folder(tmp_path / "out", runs[0].id)
    assert json.loads((folder / "meta.json").read_text())["seconds"].keys() == {"train", "test"}


def test_an_audit_asked_for_later_is_made_without_training(tmp_path, fake, monkeypatch):
    before = plan_runs(tmp_path)
    perform(before, tmp_path / "out")
    kept = ("trace.parquet", "params.safetensors", "summary.json")
    folders = [store.run_folder(tmp_path / "out", run.id) for run in before]
    bytes_before = [(folder / name).read_bytes() for folder in folders for name in kept]
    after = plan_runs(tmp_path, "audit=true")
    plan = planned_actions(after, tmp_path / "out")
    assert plan == {run.id: "measure" for run in before}
    monkeypatch.setattr(run_module, "_train", None)
    assert set(perform(after, tmp_path / "out").values()) == {"done"}
    assert [(f / name).read_bytes() for f in folders for name in kept] == bytes_before
    assert all((folder / "audit.json").is_file() for folder in folders)
    plan = planned_actions(after, tmp_path / "out")
    assert set(plan.values()) == {"done"}
    assert set(perform(before, tmp_path / "out").values()) == {"done"}
    assert not any((folder / "audit.json").exists() for folder in folders), "asked for no more"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            UserError("it branches", place=Place("mine.py", 3), hint="use jnp.where"),
            "mine.py:3: it branches\n  use jnp.where",
        ),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_an_audit_that_cannot_be_made_costs_no_run(error, text, tmp_path, fake):
    fake.raises = error
    runs = plan_runs(tmp_path, "audit=true")
    assert set(perform(runs, tmp_path / "out").values()) == {"done"}
    assert len(fake.asked) == 1
    for run in runs:
        folder = store.run_folder(tmp_path / "out", run.id)
        found = json.loads((folder / "audit.json").read_text())
        assert found == {"loss": "softmax_cross_entropy", "error": text}
        assert len(array_files.read_trace(folder)) == 3


SWAPPED = (
    "import jax.numpy as jnp\n\n\n"
    "def swapped(y_true, y_pred):\n"
    "    return (jnp.round(y_true) - y_pred) ** 2\n\n\n"
    "def forced(y_true, y_pred):\n"
    "    return swapped(y_true, y_pred)\n"
)


@pytest.mark.slow
def test_a_real_audit_judges_what_is_trained_and_changes_no_other_file(tmp_path):
    """Training calls a loss by the names of its arguments, with 0 and 1 for two classes."""
    (tmp_path / "mine.py").write_text(SWAPPED)
    forced = "{name: 'mine.py:forced', order: predictions-first}"
    losses = f"[sigmoid_cross_entropy, 'optax.losses:hinge_loss', 'mine.py:swapped', {forced}]"
    options = {"losses": losses, "dataset": "breast_cancer"}
    runs = plan_runs(tmp_path, "audit=true", "seeds=2", **options)
    perform(runs, tmp_path / "out")
    found = {}
    for run in runs:
        text = (store.run_folder(tmp_path / "out", run.id) / "audit.json").read_text()
        assert found.setdefault(run.loss.label, text) == text
    audits = {label: json.loads(text, parse_constant=pytest.fail) for label, text in found.items()}
    assert audits["sigmoid_cross_entropy"]["verdict"] == "trainable"
    codes = {label: {f["code"] for f in audit["findings"]} for label, audit in audits.items()}
    assert "G202" in codes["hinge_loss"], "dead for every example of class 0"
    assert audits["swapped"]["verdict"] == "trainable", "it rounds the targets"
    assert audits["forced"]["verdict"] == "untrainable" and "G201" in codes["forced"]
    perform(plan_runs(tmp_path, "seeds=2", **options), tmp_path / "without")
    for run in runs:
        with_audit, without = (store.run_folder(tmp_path / o, run.id) for o in ("out", "without"))
        for name in ("trace.parquet", "params.safetensors", "summary.json"):
            assert (with_audit / name).read_bytes() == (without / name).read_bytes(), name
