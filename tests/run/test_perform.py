"""One run, and many, as files: what is in the folder is true and the same every time."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from helpers.in_process_runs import ended_runs, planned_actions

from landscape import config
from landscape.parts.datasets.images import digits
from landscape.parts.directions import Point, random
from landscape.run import perform as run_module
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_files, experiment_folder, store
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.executors.selection import select_executor
from landscape.sweep.session import events, open_session

CONFIG = """
dataset: digits
model: {name: mlp, widths: [8], activation: relu}
optimizer: {name: adam, learning_rate: 0.01}
losses: [softmax_cross_entropy, zero_one]
seeds: 2
steps: 30
batch_size: 32
record_every: 10
slices:
  at: [trained, initial]
  lines: {directions: 2, points: 5, radius: 1.0}
  planes: {draws: 1, points: [5, 3], radius: 0.5}
"""
NAMES = ["layers/0/weight", "layers/0/bias", "output/weight", "output/bias"]
EXACT = ("trace.parquet", "slices.npz", "params.safetensors", "summary.json", "config.yaml")


def perform_all(runs, out, cache=None):
    """Performs runs; those with the same `cache` share their compiled programs."""
    workshop = cache or ProgramCache()
    prepare(runs, workshop)
    return {run.id: status for run, status, _ in ended_runs(runs, out, workshop)}


def perform(folder, overrides=(), cache=None):
    folder.mkdir(exist_ok=True)
    path = folder / "experiment.yaml"
    path.write_text(CONFIG)
    runs = config.expand(config.load(path, overrides))
    statuses = perform_all(runs, folder / "out", cache)
    return {run.id: run for run in runs}, statuses, folder / "out"


@pytest.fixture(scope="module")
def cache():
    """The programs of the tests that do not look at programs."""
    return ProgramCache()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return perform(tmp_path_factory.mktemp("finished"))


def read(finished, loss, seed):
    runs, _, out = finished
    run = next(r for r in runs.values() if r.loss.label == loss and r.seed == seed)
    folder = store.run_folder(out, run.id)
    return run, folder, array_files.read_trace(folder), array_files.read_slices(folder)


def numpy_risk(layers, inputs, labels):
    """Softmax cross-entropy and accuracy of a ReLU network with one hidden layer, in float64."""
    hidden = np.maximum(inputs @ layers["layers/0/weight"].T + layers["layers/0/bias"], 0)
    logits = hidden @ layers["output/weight"].T + layers["output/bias"]
    logits = logits - logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(labels)), labels]
    risk = np.mean(np.log(np.exp(logits).sum(axis=1)) - own)
    return risk, np.mean(logits.argmax(axis=1) == labels)


def parameters(folder, at):
    tensors = array_files.read_params(folder)
    prefix = f"{at}/"
    return {n.removeprefix(prefix): a for n, a in tensors.items() if n.startswith(prefix)}


@pytest.mark.parametrize("at", ["trained", "initial"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_slice_can_be_recomputed_from_the_folder_and_the_dataset(finished, at, seed):
    _, folder, _, arrays = read(finished, "softmax_cross_entropy", seed)
    layers = parameters(folder, at)
    held_out = digits(seed).validation
    labels = held_out.targets
    inputs = held_out.inputs.reshape(len(labels), -1).astype(float)
    axes = {name: 0 if name.endswith("weight") else None for name in layers}

    def direction(data, beside=None):
        # The tree that a run draws in has its leaves in the order of the network, not of names.
        names = NAMES
        key = jax.random.wrap_key_data(data)
        at = Point([layers[n] for n in names], [axes[n] for n in names], beside=beside)
        return dict(zip(names, map(np.asarray, random()(key, at)), strict=True))

    def moved(pairs):
        return {n: p.astype(float) + sum(c * d[n] for c, d in pairs) for n, p in layers.items()}

    keys = arrays[f"{at}/planes/random/keys"][0]
    first = direction(keys[0])
    second = direction(keys[1], [first[n] for n in NAMES])
    assert arrays[f"{at}/planes/random/risk"].shape == (1, 3, 5)
    for j, y in enumerate(arrays[f"{at}/planes/random/y"]):
        for i, x in enumerate(arrays[f"{at}/planes/random/x"]):
            risk, accuracy = numpy_risk(moved([(x, first), (y, second)]), inputs, labels)
            np.testing.assert_allclose(arrays[f"{at}/planes/random/risk"][0, j, i], risk, rtol=1e-4)
            found = arrays[f"{at}/planes/random/accuracy"][0, j, i]
            assert abs(found - accuracy) <= 1.01 / len(labels)
    for k, data in enumerate(arrays[f"{at}/lines/random/keys"]):
        along = direction(data)
        for i, c in enumerate(arrays[f"{at}/lines/random/coordinates"]):
            risk, _ = numpy_risk(moved([(c, along)]), inputs, labels)
            np.testing.assert_allclose(arrays[f"{at}/lines/random/risk"][k, i], risk, rtol=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_trace_agrees_with_the_stored_parameters(finished, seed):
    _, folder, trace, arrays = read(finished, "softmax_cross_entropy", seed)
    held_out = digits(seed).validation
    inputs = held_out.inputs.reshape(len(held_out.targets), -1).astype(float)
    assert trace["step"].tolist() == [0, 10, 20, 30]
    for at, row in (("initial", 0), ("trained", -1)):
        risk, accuracy = numpy_risk(parameters(folder, at), inputs, held_out.targets)
        np.testing.assert_allclose(trace["risk/evaluation"].iloc[row], risk, rtol=1e-5)
        np.testing.assert_allclose(trace["accuracy"].iloc[row], accuracy, rtol=1e-5)
        np.testing.assert_allclose(arrays[f"{at}/center/risk"], risk, rtol=1e-5)
    checks = json.loads((folder / "summary.json").read_text())["checks"]
    assert {c["passed"] for c in checks if c["name"] == "center"} == {True}
    assert trace["accuracy"].iloc[-1] > trace["accuracy"].iloc[0] + 0.2


def test_a_loss_without_gradient_is_dead_everywhere_and_never_moves(finished):
    _, folder, trace, _ = read(finished, "zero_one", 0)
    for part in ("examples", "components", "weights", "units"):
        assert (trace[f"dead/{part}"] == 1).all()
    assert (trace["gradient_norm/global"] == 0).all()
    assert trace["steps/dead"].iloc[-1] == 30
    trained, initial = parameters(folder, "trained"), parameters(folder, "initial")
    for name, values in initial.items():
        np.testing.assert_array_equal(trained[name], values)


def test_losses_of_one_seed_share_initialization_and_directions(finished):
    first, second = (read(finished, loss, 0) for loss in ("softmax_cross_entropy", "zero_one"))
    for name, values in parameters(first[1], "initial").items():
        np.testing.assert_array_equal(values, parameters(second[1], "initial")[name])
    np.testing.assert_array_equal(
        first[3]["trained/lines/random/keys"], second[3]["trained/lines/random/keys"]
    )
    other = read(finished, "softmax_cross_entropy", 1)
    assert not np.array_equal(
        first[3]["trained/lines/random/keys"], other[3]["trained/lines/random/keys"]
    )


def test_the_same_config_gives_the_same_bytes(finished, tmp_path):
    runs, statuses, out = finished
    again, statuses_again, out_again = perform(tmp_path / "again")
    assert statuses == statuses_again == dict.fromkeys(runs, "done")
    for run_id in again:
        for name in EXACT:
            old, new = (store.run_folder(o, run_id) / name for o in (out, out_again))
            if name == "config.yaml":
                continue
            assert old.read_bytes() == new.read_bytes(), (run_id, name)


def test_measuring_more_changes_no_other_number(finished, tmp_path):
    more = ["slices.gradients=true", "slices.lines.directions=3", "seeds=[1]"]
    runs, _, out = perform(tmp_path / "more", overrides=[*more, "losses=[softmax_cross_entropy]"])
    (run_id,) = runs
    assert run_id in finished[0]
    old, new = store.run_folder(finished[2], run_id), store.run_folder(out, run_id)
    assert (old / "trace.parquet").read_bytes() == (new / "trace.parquet").read_bytes()
    before, after = array_files.read_slices(old), array_files.read_slices(new)
    # With gradients another program is compiled, and processors differ in how it adds up: the same
    # points and parameters give the same risk to a unit in the last place.
    same = partial(np.testing.assert_allclose, rtol=5e-7)
    same(after["trained/planes/random/risk"], before["trained/planes/random/risk"])
    same(after["trained/lines/random/risk"][:2], before["trained/lines/random/risk"])
    center = after["trained/planes/random/gradient_norm/evaluation"][0, 1, 2]
    norm = array_files.read_trace(new)["gradient_norm/evaluation"].iloc[-1]
    np.testing.assert_allclose(center, norm, rtol=1e-4)


def test_new_slices_are_measured_from_stored_parameters_without_training(
    tmp_path, monkeypatch, cache
):
    quick = ["seeds=[0]", "losses=[softmax_cross_entropy]"]
    runs, _, out = perform(tmp_path / "a", overrides=quick, cache=cache)
    (run_id,) = runs
    folder = store.run_folder(out, run_id)
    trace = (folder / "trace.parquet").read_bytes()
    path = tmp_path / "a" / "experiment.yaml"
    changed = config.expand(config.load(path, [*quick, "slices.lines.points=7"]))
    plan = planned_actions(changed, out)
    assert plan == {run_id: "measure"}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_train", None)
        assert perform_all(changed, out, cache) == {run_id: "done"}
    assert (folder / "trace.parquet").read_bytes() == trace
    assert array_files.read_slices(folder)["trained/lines/random/risk"].shape == (2, 7)
    assert planned_actions(changed, out) == {run_id: "done"}
    anew, _, other = perform(tmp_path / "b", overrides=[*quick, "slices.lines.points=7"])
    assert list(anew) == [run_id]
    measured, at_once = (store.run_folder(o, run_id) / "slices.npz" for o in (out, other))
    assert measured.read_bytes() == at_once.read_bytes()


def test_a_diverged_run_is_a_result(tmp_path):
    overrides = [
        "optimizer=sgd",
        "optimizer.learning_rate=1e38",
        "losses=[softmax_cross_entropy]",
        "seeds=[0]",
        "slices=null",
    ]
    runs, statuses, out = perform(tmp_path / "x", overrides=overrides)
    (run_id,) = runs
    assert statuses == {run_id: "diverged"}
    folder = store.run_folder(out, run_id)
    summary = json.loads((folder / "summary.json").read_text())
    trace = array_files.read_trace(folder)
    assert summary["diverged_step"] == trace["step"].iloc[-1]
    assert trace["step"].is_unique
    assert all(np.isfinite(values).all() for values in parameters(folder, "trained").values())


FAILING = """
import jax, jax.numpy as jnp, numpy as np, optax

CALLS = []

def _fuse(values):
    CALLS.append(1)
    if len(CALLS) > 12:
        raise RuntimeError("the fuse blew")
    return values

def fuse(predictions, targets):
    values = optax.softmax_cross_entropy(predictions, targets)
    shape = jax.ShapeDtypeStruct(values.shape, values.dtype)
    return values + 0 * jax.pure_callback(_fuse, shape, jax.lax.stop_gradient(values))
"""


def test_a_loss_that_fails_while_training_costs_only_its_own_run(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine.py").write_text(FAILING)
    losses = "losses=[{name: 'mine.py:fuse', label: fuse}, softmax_cross_entropy]"
    runs, statuses, out = perform(tmp_path / "x", overrides=[losses, "seeds=[0]", "slices=null"])
    by_label = {runs[i].loss.label: status for i, status in statuses.items()}
    assert by_label == {"fuse": "failed", "softmax_cross_entropy": "done"}
    (failed,) = (i for i, status in statuses.items() if status == "failed")
    folder = store.run_folder(out, failed)
    assert "the fuse blew" in (folder / "error.txt").read_text()
    names = {path.name for path in folder.iterdir()} - {"trace.parquet"}  # the rows before it blew
    assert names == {"config.yaml", "error.txt", "log.txt", "status.json"}
    assert store.read_status(folder) == "failed" and store.read_reason(folder) is None
    assert "the fuse blew" in (folder / "log.txt").read_text()
    plan = planned_actions(list(runs.values()), out)
    assert plan[failed] == "failed"
    assert planned_actions(list(runs.values()), out, retry_failed=True)[failed] == "retry"


LATE = """
import jax

def late():
    calls = []
    def direction(key, point):
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("too late")
        return point.params
    return direction
"""


def test_a_measurement_that_fails_costs_no_training(tmp_path, monkeypatch, cache):
    few = ["seeds=[0]", "losses=[softmax_cross_entropy]"]
    runs, _, out = perform(tmp_path / "x", overrides=few, cache=cache)
    (run_id,) = runs
    folder = store.run_folder(out, run_id)
    kept = {name: (folder / name).read_bytes() for name in ("trace.parquet", "params.safetensors")}
    (tmp_path / "x" / "mine.py").write_text(LATE)
    own = "slices.lines={direction: 'mine.py:late', directions: 2, points: 3}"
    path = tmp_path / "x" / "experiment.yaml"
    changed = config.expand(config.load(path, [*few, own]))
    assert perform_all(changed, out, cache) == {run_id: "failed"}
    assert "too late" in store.read_failure(folder)
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    again = config.expand(config.load(path, few))
    assert planned_actions(again, out, retry_failed=True) == {run_id: "retry"}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_train", None)
        assert perform_all(again, out, cache) == {run_id: "done"}
    assert not (folder / "error.txt").exists()


def test_a_run_that_was_cut_off_while_it_was_measured_goes_on_from_its_training(
    tmp_path, monkeypatch, cache
):
    few = ["seeds=[0]", "losses=[softmax_cross_entropy]"]
    (tmp_path / "experiment.yaml").write_text(CONFIG)
    runs = config.expand(config.load(tmp_path / "experiment.yaml", few))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_module, "_slices", interrupted)
        perform_all(runs, tmp_path, cache)
    assert planned_actions(runs, tmp_path) == {runs[0].id: "measure"}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_train", None)
        assert perform_all(runs, tmp_path, cache) == {runs[0].id: "done"}


@pytest.mark.parametrize("name", ["params.safetensors", "trace.parquet", "slices.npz"])
@pytest.mark.parametrize("content", [b"garbage", None])
def test_what_is_damaged_is_made_again(tmp_path, name, content, cache):
    few = ["seeds=[0]", "losses=[softmax_cross_entropy]", "slices.at=[trained]"]
    runs, _, out = perform(tmp_path / "x", overrides=few, cache=cache)
    (run_id,) = runs
    path = store.run_folder(out, run_id) / name
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    changed = config.expand(
        config.load(tmp_path / "x" / "experiment.yaml", [*few, "slices.gradients=true"])
        if name != "slices.npz"
        else config.load(tmp_path / "x" / "experiment.yaml", few)
    )
    assert planned_actions(changed, out) == {run_id: "measure" if name == "slices.npz" else "new"}
    assert perform_all(changed, out, cache) == {run_id: "done"}
    assert path.read_bytes() == before


def test_a_new_label_is_taken_over_without_training(tmp_path):
    few = ["seeds=[0]", "slices=null", "steps=4"]
    runs, _, out = perform(tmp_path / "x", overrides=[*few, "losses=[brier]"])
    (run_id,) = runs
    path = tmp_path / "x" / "experiment.yaml"
    changed = config.load(path, [*few, "losses=[{name: brier, label: other}]"])
    before = (store.run_folder(out, run_id) / "trace.parquet").stat().st_mtime_ns
    spec = select_executor(changed, None, None, None)
    (tmp_path / "x" / "results").mkdir()
    out.rename(tmp_path / "x" / "results" / changed.name)
    with open_session(changed, tmp_path / "x" / "results") as session:
        [*events(session, spec)]
    folder = store.run_folder(tmp_path / "x" / "results" / changed.name, run_id)
    assert config.run_from((folder / "config.yaml").read_text()).loss.label == "other"
    assert (folder / "trace.parquet").stat().st_mtime_ns == before
    assert store.damaged(folder) == []


def test_a_run_of_another_sweep_is_kept_under_its_new_name(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(CONFIG)
    few = ["seeds=[0]", "slices=null", "steps=4", "losses=[brier]"]

    def performed(*overrides):
        changed = config.load(path, [*few, *overrides])
        spec = select_executor(changed, None, None, None)
        with open_session(changed, tmp_path / "out") as session:
            ended = [event.run.id for event in events(session, spec) if isinstance(event, Ended)]
        directory = tmp_path / "out" / changed.name
        assert all(store.damaged(store.run_folder(directory, n)) == [] for n in names(directory))
        return ended, directory

    def names(directory):
        return experiment_folder.run_ids(directory)

    (first,), directory = performed("optimizer.learning_rate=0.02")
    before = (store.run_folder(directory, first) / "trace.parquet").stat().st_mtime_ns
    (second,), _ = performed("optimizer.learning_rate=0.02,0.05")
    assert "learning_rate=0.05" in second
    planned = experiment_folder.read_plan(directory)
    assert sorted(planned) == names(directory) and len(planned) == 2 and first not in planned
    (moved,) = (name for name in planned if name != second)
    assert "learning_rate=0.02" in moved and moved.endswith(first[-14:])
    folder = store.run_folder(directory, moved)
    stored = config.run_from((folder / "config.yaml").read_text())
    assert (stored.id, stored.swept) == (moved, {"optimizer.learning_rate": 0.02})
    assert (folder / "trace.parquet").stat().st_mtime_ns == before
    # And back: what is planned no more stays where it is.
    assert performed("optimizer.learning_rate=0.02")[0] == []
    assert names(directory) == sorted([first, second])
