"""What a run measures around its points, against NumPy on what lies in its folder."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.differences import differences
from helpers.in_process_runs import ended_runs

from landscape import config
from landscape.numerics.compiling import jit_once
from landscape.parts.directions import Point, random
from landscape.run import cross_run
from landscape.run import perform as run_module
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.progress import Progress
from landscape.run.training_inputs import evaluation_set
from landscape.storage import array_files, store

CONFIG = """
dataset: digits
model: {name: mlp, widths: [6], activation: tanh}
optimizer: {name: sgd, learning_rate: 0.5, momentum: 0.5}
losses: [softmax_cross_entropy, brier]
seeds: 2
steps: 60
batch_size: 32
record_every: 10
checkpoints: 4
evaluation: {split: train, size: 80}
slices:
  at: [trained, initial]
  lines:
    - {directions: 5, points: 9, radius: auto, rise: 0.5}
    - {direction: gradient, points: 5, radius: 0.1}
    - {direction: eigenvector, points: 5, radius: 0.1}
    - {direction: interpolation, points: 5}
  planes:
    - {points: [3, 5], draws: 2}
    - {axes: [trajectory, {name: trajectory, component: 2}], points: [5, 3], radius: 1.2}
    - {axes: [random, {name: eigenvector, end: smallest}], points: [3, 3], eigenvalues: 60}
curvature: {at: [trained, initial], operators: [hessian, gauss_newton], checkpoints: true,
            eigenvalues: 3, iterations: 80, probes: 8}
across: {interpolations: [seeds, losses], points: 5}
"""
NAMES = ["layers/0/weight", "layers/0/bias", "output/weight", "output/bias"]
PATH = "trajectory \N{MULTIPLICATION SIGN} trajectory[component=2]"
BENT = "random \N{MULTIPLICATION SIGN} eigenvector[end=smallest]"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    path = folder / "experiment.yaml"
    path.write_text(CONFIG)
    loaded = config.load(path)
    runs = config.expand(loaded)
    workshop = ProgramCache()
    prepare(runs, workshop)
    statuses = {run.id: status for run, status, _ in ended_runs(runs, folder, workshop)}
    for run in runs:
        assert statuses[run.id] == "done", store.read_failure(store.run_folder(folder, run.id))
    assert cross_run.measure_across(loaded.across, runs, folder, workshop)
    return folder, runs, loaded, workshop


def find(finished, loss="softmax_cross_entropy", seed=0):
    folder, runs, _, workshop = finished
    run = next(r for r in runs if (r.loss.label, r.seed) == (loss, seed))
    return run, store.run_folder(folder, run.id), evaluation_set(run, workshop.dataset(run))


def layers(folder, at):
    tensors = array_files.read_params(folder)
    return [tensors[f"{at}/{name}"].astype(np.float64) for name in NAMES]


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def outputs(params, examples):
    weight, bias, out, last = params
    x = np.asarray(examples.inputs, np.float64).reshape(len(examples.targets), -1)
    return np.tanh(x @ weight.T + bias) @ out.T + last


def risks(params, examples):
    """Softmax cross-entropy and Brier score in NumPy."""
    logits = outputs(params, examples)
    logits = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    hot = np.eye(10)[np.asarray(examples.targets.values)]
    return {
        "softmax_cross_entropy": -np.mean(np.sum(hot * np.log(shares), axis=1)),
        "brier": np.mean(np.sum((shares - hot) ** 2, axis=1)),
    }


def hessian(params, examples):
    """The dense Hessian of softmax cross-entropy by jax.hessian in float64, and the gradient."""
    shapes = [p.shape for p in params]
    ends = np.cumsum([p.size for p in params])[:-1]
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(examples.inputs, np.float64).reshape(len(examples.targets), -1))
        hot = jnp.asarray(np.eye(10)[np.asarray(examples.targets.values)])

        def risk(vector):
            parts = [p.reshape(s) for p, s in zip(jnp.split(vector, ends), shapes, strict=True)]
            logits = jnp.tanh(x @ parts[0].T + parts[1][None]) @ parts[2].T + parts[3][None]
            return -jnp.mean(jnp.sum(hot * jax.nn.log_softmax(logits), axis=1))

        both = jit_once(lambda vector: (jax.hessian(risk)(vector), jax.grad(risk)(vector)))
        return jax.tree.map(np.asarray, both(flat(params)))


def random_direction(data, params):
    """The direction of a stored key, filter-normalized by hand from the same draw."""
    leaves = [jnp.asarray(p, jnp.float32) for p in params]
    point = Point(leaves, [0, None, 0, None])
    drawn = random(normalization="none")(jax.random.wrap_key_data(data), point)
    scaled = [
        np.asarray(d, float)
        * (np.linalg.norm(p, axis=1) / np.linalg.norm(np.asarray(d, float), axis=1))[:, None]
        if p.ndim == 2
        else np.zeros_like(p)
        for d, p in zip(drawn, params, strict=True)
    ]
    return flat(scaled)


def test_curvature_and_directions_agree_with_a_dense_hessian(finished):
    _, folder, examples = find(finished)
    arrays, found = (
        array_files.read_slices(folder),
        json.loads((folder / "curvature.json").read_text()),
    )
    assert (found["convex"], found["twice_differentiable"]) == (True, True)
    assert [p["place"] for p in found["points"]] == ["trained", "initial"] + ["checkpoint"] * 4
    for at, point in zip(("trained", "initial"), found["points"], strict=False):
        params = layers(folder, at)
        matrix, slope = hessian(params, examples)
        values, size = np.linalg.eigvalsh(matrix), len(matrix)
        mine = point["operators"]["hessian"]
        np.testing.assert_allclose(mine["largest"], values[::-1][:3], rtol=1e-4)
        np.testing.assert_allclose(mine["smallest"], values[:3], atol=1e-3 * values[-1])
        # Fewer parameters than the dense matrix is limited to: exact, not estimated.
        assert mine["trace"]["error"] == mine["frobenius"]["error"] == 0
        assert mine["trace"]["value"] == pytest.approx(np.trace(matrix), rel=1e-4)
        assert mine["frobenius"]["value"] == pytest.approx(np.linalg.norm(matrix), rel=1e-4)
        assert sum(layer["value"] for layer in mine["layers"].values()) == pytest.approx(
            mine["trace"]["value"]
        )
        np.testing.assert_allclose(mine["eigenvalues"], values, atol=1e-4 * values[-1])
        scale = np.abs(flat(params))
        adaptive = np.linalg.eigvalsh(scale[:, None] * matrix * scale)[-1]
        assert mine["adaptive_sharpness"] == pytest.approx(adaptive, rel=1e-4)
        assert min(point["operators"]["gauss_newton"]["smallest"]) > -1e-5 * values[-1]
        assert point["parameters"] == size
        np.testing.assert_allclose(point["squared_norm"], np.sum(flat(params) ** 2), rtol=1e-5)
        np.testing.assert_allclose(
            point["risk"], risks(params, examples)["softmax_cross_entropy"], rtol=1e-5
        )
        norm = np.linalg.norm(flat(params))
        lines = f"{at}/lines/eigenvector"
        np.testing.assert_allclose(arrays[f"{lines}/norm"], norm, rtol=1e-5)
        np.testing.assert_allclose(arrays[f"{lines}/curvature"], values[-1] * norm**2, rtol=1e-4)
        for data, bent, norm_of in zip(
            *(arrays[f"{at}/lines/random/{name}"] for name in ("keys", "curvature", "norm")),
            strict=True,
        ):
            drawn = random_direction(data, params)
            np.testing.assert_allclose(norm_of, np.linalg.norm(drawn), rtol=1e-5)
            np.testing.assert_allclose(bent, drawn @ matrix @ drawn, rtol=1e-3)
        steep = f"{at}/lines/gradient"
        along = slope / np.linalg.norm(slope) * norm
        np.testing.assert_allclose(arrays[f"{steep}/slope"], along @ slope, rtol=1e-4)
        np.testing.assert_allclose(arrays[f"{steep}/curvature"], along @ matrix @ along, rtol=1e-3)
        for i, c in enumerate(arrays[f"{steep}/coordinates"]):
            moved = flat(params) + c * along
            parts = np.split(moved, np.cumsum([p.size for p in params])[:-1])
            parts = [p.reshape(q.shape) for p, q in zip(parts, params, strict=True)]
            exact = risks(parts, examples)["softmax_cross_entropy"]
            np.testing.assert_allclose(arrays[f"{steep}/risk"][0, i], exact, rtol=1e-4)
        plane = f"{at}/planes/{BENT}"
        ends = (arrays[f"{plane}/eigenvalue/{end}"][0, 1, 1] for end in ("smallest", "largest"))
        np.testing.assert_allclose(list(ends), values[[0, -1]], atol=2e-3 * values[-1])
        assert arrays[f"{plane}/eigenvalue/largest"].shape == (1, 3, 3)


def test_every_check_of_a_smooth_model_passes(finished):
    for loss in ("softmax_cross_entropy", "brier"):
        for seed in (0, 1):
            _, folder, _ = find(finished, loss, seed)
            made = json.loads((folder / "summary.json").read_text())["checks"]
            names = [check["name"] for check in made]
            counted = {name: names.count(name) for name in set(names)}
            assert counted == {
                "center": 14,
                "finite": 14,
                "second_difference": 14,
                "evaluation_noise": 14,
                "mean_curvature": 2,
                "lanczos": 4 if loss == "softmax_cross_entropy" else 2,  # brier is not convex
            }
            sure = [c for c in made if c["name"] not in ("evaluation_noise", "mean_curvature")]
            assert [c for c in sure if not c["passed"]] == []
            assert all(c["passed"] is not False for c in made if c["name"] == "mean_curvature")


def test_a_radius_that_is_found_is_where_the_risk_has_risen_as_far_as_asked(finished):
    for seed in (0, 1):
        _, folder, _ = find(finished, "brier", seed)
        arrays, trace = array_files.read_slices(folder), array_files.read_trace(folder)
        drop = trace["risk/evaluation"].iloc[0] - trace["risk/evaluation"].iloc[-1]
        lines = "trained/lines/random"
        assert arrays[f"{lines}/radius_found"]
        assert arrays[f"{lines}/coordinates"][-1] == arrays[f"{lines}/radius"]
        rise = arrays[f"{lines}/risk"][:, [0, -1]].mean() - arrays["trained/center/risk"]
        np.testing.assert_allclose(rise / drop, 0.5, atol=0.06)
        assert f"{lines}/keys" in arrays
        assert "trained/lines/gradient/keys" not in arrays
        assert "trained/lines/gradient/radius_found" not in arrays


def test_the_interpolation_ends_at_the_initial_point(finished):
    _, folder, examples = find(finished)
    arrays = array_files.read_slices(folder)
    start = risks(layers(folder, "initial"), examples)["softmax_cross_entropy"]
    end = risks(layers(folder, "trained"), examples)["softmax_cross_entropy"]
    np.testing.assert_allclose(arrays["trained/lines/interpolation/risk"][0, -1], start, rtol=1e-5)
    np.testing.assert_allclose(arrays["initial/lines/interpolation/risk"][0, -1], end, rtol=1e-5)


def test_the_path_on_its_plane(finished):
    _, folder, examples = find(finished)
    arrays = array_files.read_slices(folder)
    steps, tensors = array_files.read_checkpoints(folder)
    assert steps.tolist() == [0, 20, 40, 60]
    path = [[tensors[name][i].astype(np.float64) for name in NAMES] for i in range(4)]
    trained = flat(layers(folder, "trained"))
    away = np.stack([flat(p) for p in path]) - trained
    plane = f"trained/planes/{PATH}"
    np.testing.assert_array_equal(arrays[f"{plane}/path/step"], steps)
    _, sizes, components = np.linalg.svd(away, full_matrices=False)
    explained = sizes**2 / np.sum(sizes**2)
    np.testing.assert_allclose(arrays[f"{plane}/explained"], explained[:2], rtol=1e-3)
    inside = away @ components[:2].T
    for axis, name in enumerate(("x", "y")):
        ours, theirs = arrays[f"{plane}/path/{name}"], inside[:, axis]
        theirs = theirs / theirs[np.argmax(np.abs(theirs))]
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
        assert max(ours) == pytest.approx(1, abs=1e-4)
    off = np.linalg.norm(away - inside @ components[:2], axis=1)
    np.testing.assert_allclose(arrays[f"{plane}/path/distance"], off, rtol=1e-2, atol=1e-3)
    cut = np.cumsum([p.size for p in path[0]])[:-1]
    for i in range(4):
        true = risks(path[i], examples)["softmax_cross_entropy"]
        np.testing.assert_allclose(arrays[f"{plane}/path/risk"][i], true, rtol=1e-4)
        projected = np.split(trained + inside[i] @ components[:2], cut)
        projected = [p.reshape(q.shape) for p, q in zip(projected, path[i], strict=True)]
        exact = risks(projected, examples)["softmax_cross_entropy"]
        np.testing.assert_allclose(arrays[f"{plane}/path/projected_risk"][i], exact, rtol=2e-3)


def test_a_plane_of_random_and_eigenvector_has_right_angles(finished):
    _, folder, _ = find(finished)
    arrays = array_files.read_slices(folder)
    for at in ("trained", "initial"):
        assert abs(arrays[f"{at}/planes/{BENT}/cosine"]).max() < 1e-5
        assert abs(arrays[f"{at}/planes/random/cosine"]).max() < 1e-5
        assert arrays[f"{at}/planes/random/risk"].shape == (2, 5, 3)
        assert arrays[f"{at}/planes/random/keys"].shape == (2, 2, 2)


def test_measuring_again_from_what_is_stored_gives_the_same_bytes(finished, tmp_path, monkeypatch):
    folder, runs, _, workshop = finished
    run = runs[0]
    there = store.run_folder(folder, run.id)
    names = ("slices.npz", "curvature.json", "checkpoints.safetensors", "summary.json")
    before = {name: (there / name).read_bytes() for name in names}
    monkeypatch.setattr(run_module, "_train", None)
    assert run_module.perform(run, there, workshop, Progress(there)) == "done"
    for name in names:
        assert differences(name, before[name], (there / name).read_bytes()) == []


def test_solutions_are_measured_under_each_other(finished):
    folder, runs, loaded, workshop = finished
    found = json.loads((folder / "across.json").read_text())
    assert found["problems"] == []
    assert len(found["solutions"]) == 4
    labels = {run.id: run.loss.label for run in runs}
    for row in found["solutions"]:
        run, own, examples = find(finished, row["loss"], row["seed"])
        assert row["run"] == run.id
        for at, column in (("trained", "risks"), ("initial", "initial")):
            exact = risks(layers(own, at), examples)
            assert {labels[name] for name in row[column]} == set(exact)
            for name, value in row[column].items():
                np.testing.assert_allclose(value, exact[labels[name]], rtol=1e-4)
        made = outputs(layers(own, "trained"), examples).argmax(axis=1)
        accuracy = np.mean(made == np.asarray(examples.targets.values))
        np.testing.assert_allclose(row["metric"], accuracy, atol=0.013)
    assert not cross_run.measure_across(loaded.across, runs, folder, workshop)
    assert cross_run.measure_across(loaded.across, runs[:2], folder, workshop)
    other = runs[0].loss.model_copy(update={"label": "other"})
    renamed = [runs[0].model_copy(update={"loss": other}), *runs[1:]]
    assert cross_run.measure_across(loaded.across, renamed, folder, workshop)
    found = json.loads((folder / "across.json").read_text())["solutions"]
    assert "other" in {row["loss"] for row in found if row["run"] == runs[0].id}
    assert cross_run.measure_across(loaded.across, runs, folder, workshop)


def test_interpolations_between_solutions(finished):
    folder, runs, _, _ = finished
    found = json.loads((folder / "across.json").read_text())["interpolations"]
    kinds = [(one["kind"], one["from_loss"], one["from_seed"], one["to_seed"]) for one in found]
    assert sorted(kinds) == [
        ("losses", "softmax_cross_entropy", 0, 0),
        ("losses", "softmax_cross_entropy", 1, 1),
        ("seeds", "brier", 0, 1),
        ("seeds", "softmax_cross_entropy", 0, 1),
    ]
    labels = {run.id: run.loss.label for run in runs}
    for one in found:
        _, first, examples = find(finished, one["from_loss"], one["from_seed"])
        _, second, others = find(finished, one["to_loss"], one["to_seed"])
        a, b = layers(first, "trained"), layers(second, "trained")
        assert one["coordinates"] == [0, 0.25, 0.5, 0.75, 1]
        for i, t in enumerate(one["coordinates"]):
            there = [(1 - t) * x + t * y for x, y in zip(a, b, strict=True)]
            for name, own in ((one["from"], examples), (one["to"], others)):
                exact = risks(there, own)[labels[name]]
                np.testing.assert_allclose(one["risks"][name][i], exact, rtol=1e-4)
        start, end = risks(layers(first, "initial"), examples), risks(a, examples)
        loss = one["from_loss"]
        np.testing.assert_allclose(one["drops"][one["from"]], start[loss] - end[loss], rtol=1e-3)


@pytest.mark.parametrize("rate", ["1e38", "1e9"])
def test_a_run_that_diverged_is_measured_like_any_other(finished, tmp_path, rate):
    path = tmp_path / "experiment.yaml"
    path.write_text(CONFIG)
    few = ["seeds=1", f"optimizer.learning_rate={rate}", "slices.at=[trained]"]
    runs = config.expand(config.load(path, few))
    *_, workshop = finished  # with compiled programs, which take the rate as an argument
    ((run, status, _),) = ended_runs(runs[:1], tmp_path, workshop)
    assert run.loss.label == "softmax_cross_entropy"
    folder = store.run_folder(tmp_path, run.id)
    assert status in ("done", "diverged"), store.read_failure(folder)
    made = json.loads((folder / "summary.json").read_text())["checks"]
    assert {check["name"] for check in made} >= {"center", "finite", "second_difference"}
    assert set(json.loads((folder / "curvature.json").read_text())["points"][0]["operators"]) == {
        "hessian",
        "gauss_newton",
    }
