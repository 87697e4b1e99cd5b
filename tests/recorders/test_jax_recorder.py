"""A recorded loop has the trace that a run has, and survives what happens to training loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.command_line import invoke

import landscape
from landscape.errors import UserError
from landscape.export import trackers
from landscape.recorder.recorded_loop import RecordedLoop
from landscape.report import recordings as recorded_report
from landscape.storage import array_files, recordings, store

pytestmark = pytest.mark.usefixtures("unrendered_figures")


def apply(params, inputs):
    first, output = params["layers"]["0"], params["output"]
    hidden = jax.nn.relu(inputs @ first["weight"].T + first["bias"][None])
    return hidden @ output["weight"].T + output["bias"][None]


def accuracy(predictions, targets):
    right = jnp.argmax(predictions, 1) == jnp.argmax(targets, 1)
    return jnp.mean(right.astype(jnp.float32))


def squared(predictions, targets):
    return (predictions - targets) ** 2


def line(params, inputs):
    return inputs @ params["weight"]


@pytest.fixture
def gradient():
    return {"weight": jnp.ones(2)}


@pytest.fixture
def open_recorder(tmp_path):
    recorders = []

    def create(every=1, **options):
        recorders.append(landscape.Recorder(line, squared, every, out=tmp_path, **options))
        return recorders[-1]

    yield create
    for recorder in recorders:
        recorder._discard()


OF_BATCH = ("risk/batch", "gradient_norm/global", "gradient_norm/layer/", "update_ratio")
PARAMS = {"weight": jnp.array([1.0, -1.0])}
BATCH = (np.ones((3, 2), np.float32), np.ones(3, np.float32))


def nested(flat):
    tree = {}
    for path, value in flat.items():
        *steps, last = path.split("/")
        place = tree
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = jnp.asarray(value)
    return tree


def test_the_columns_are_those_of_a_run_on_the_same_batches(trained_run, tmp_path):
    params, optimizer = nested(trained_run.params), optax.sgd(0.1)
    state = optimizer.init(params)

    @jax.jit
    def gradient(params, inputs, targets):
        return jax.grad(lambda p: optax.softmax_cross_entropy(apply(p, inputs), targets).mean())(
            params
        )

    recorder = landscape.Recorder(
        apply,
        optax.softmax_cross_entropy,
        4,
        evaluation=trained_run.evaluation,
        metrics=[accuracy],
        filter_axes="first",
        out=tmp_path,
    )
    *batches, _ = trained_run.batches
    for inputs, targets in batches:
        gradients = gradient(params, inputs, targets)
        recorder(params, (inputs, targets), gradients)
        updates, state = optimizer.update(gradients, state)
        params = optax.apply_updates(params, updates)
    recorder.finish(params)
    trace, expected = recorder.trace, trained_run.trace
    assert set(trace) == set(expected) - {"f1"}
    np.testing.assert_array_equal(trace["step"], expected["step"])
    of_batch = [name for name in trace if name.startswith(OF_BATCH)]
    for name in trace:
        tolerance = 1e-3 if name.startswith("update_ratio") else 2e-5
        rows = slice(None, -1) if name in of_batch else slice(None)  # no batch after the last step
        np.testing.assert_allclose(
            trace[name][rows], expected[name][rows], rtol=tolerance, atol=1e-7, err_msg=name
        )
    assert trace[of_batch].iloc[-1].isna().all()


def test_without_an_evaluation_set_dead_fractions_are_those_of_the_batch(tmp_path):
    def hinge(predictions, targets):
        return jnp.maximum(1 - predictions * targets, 0.0)

    inputs = np.array([[2.0, 0.0], [0.5, 0.0], [0.0, 0.0]], np.float32)
    batch = (inputs, np.ones(3, np.float32))
    params = {"weight": jnp.array([1.0, 1.0])}
    gradients = jax.grad(lambda p: hinge(line(p, batch[0]), batch[1]).mean())(params)
    recorder = landscape.Recorder(line, hinge, out=tmp_path)
    recorder(params, batch, gradients)
    recorder.finish()
    (row,) = recorder.trace.to_dict("records")
    assert row["dead/examples"] == pytest.approx(1 / 3)  # beyond the margin
    assert row["dead/weights"] == 0.5  # the second input is always 0
    assert row["gradient_norm/global"] == pytest.approx(0.5 / 3)
    assert row["risk/batch"] == pytest.approx(1.5 / 3)
    assert "risk/evaluation" not in row and "dead/units" not in row


def test_an_adapter_tells_the_filter_axes(tmp_path):
    model = eqx.nn.Linear(2, 3, key=jax.random.key(0))
    adapted = landscape.adapters.equinox(model)
    weight = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    gradients = eqx.tree_at(lambda m: m.weight, adapted.params, weight)
    recorder = landscape.Recorder(adapted, squared, out=tmp_path)
    recorder(adapted.params, (np.ones((4, 2), np.float32), np.ones((4, 3))), gradients)
    recorder.finish()
    assert recorder.trace["dead/units"][0] == pytest.approx(1 / 3)


def test_steps_are_counted_and_a_divergence_is_recorded(open_recorder, gradient):
    recorder = open_recorder(every=5)
    kinds = {2: 0.0, 3: 1e-9, 4: 1e4, 5: np.inf, 6: 1.0} | dict.fromkeys(range(12, 20), np.nan)
    for step in range(20):
        recorder(PARAMS, BATCH, {"weight": gradient["weight"] * kinds.get(step, 1.0)})
    recorder.finish()
    trace = recorder.trace
    assert list(trace["step"]) == [0, 5, 10, 15]
    assert list(trace["steps/dead"]) == [0, 1, 1, 1]
    assert list(trace["steps/vanishing"]) == [0, 1, 1, 1]
    assert list(trace["steps/exploding"]) == [0, 1, 2, 2]
    assert np.isnan(trace["gradient_norm/global"].iloc[-1])
    ((run,), _) = recorded_report.read(recorder.directory)
    assert run.record.diverged_step == 12
    text = recorder.report().read_text()
    assert "from step 12 on, the gradient is not finite" in text
    assert "1 of 4 records have a gradient that is not finite" in text


def test_a_gradient_that_is_finite_again_is_no_divergence(open_recorder, gradient):
    with open_recorder() as recorder:
        for factor in (1.0, np.inf, 1.0):
            recorder(PARAMS, BATCH, {"weight": gradient["weight"] * factor})
    assert len(recorder.trace) == 3
    ((run,), _) = recorded_report.read(recorder.directory)
    assert run.record.diverged_step is None


def test_memory_that_a_step_takes_over_is_copied(open_recorder):
    step = jax.jit(lambda p, g: jax.tree.map(lambda a, b: a - 0.1 * b, p, g), donate_argnums=0)
    recorder, params = open_recorder(), {"weight": jnp.array([3.0, 4.0])}
    for _ in range(2):
        gradients = {"weight": jnp.array([0.3, 0.4])}
        recorder(params, BATCH, gradients)
        params = step(params, gradients)
    recorder.finish()
    assert recorder.trace["update_ratio"][0] == pytest.approx(0.05 / 5, rel=1e-4)


def test_labels_share_a_folder_and_a_page(open_recorder, gradient):
    first, second = open_recorder(label="first"), open_recorder(label="a <b>$x_2$</b>/one")
    for _ in range(3):
        first(PARAMS, BATCH, gradient)
        second(PARAMS, BATCH, gradient)
    first.finish()
    second.finish()
    page = first.report().read_text()
    assert "first" in page and "a &lt;b&gt;$x_2$&lt;/b&gt;/one" in page
    result = invoke("report", "recorded", cwd=first.directory.parent)
    assert result.returncode == 0, result.stderr
    assert "Every recorded gradient is finite and not zero." in result.stdout
    assert "2 recorded" in invoke("status", "recorded", cwd=first.directory.parent).stderr


def test_an_exception_ends_a_recording(open_recorder, gradient):
    with pytest.raises(KeyboardInterrupt), open_recorder() as recorder:
        recorder(PARAMS, BATCH, gradient)
        raise KeyboardInterrupt
    assert store.read_status(recorder.folder) == recordings.CLOSED
    assert "Ended by KeyboardInterrupt after 1 steps." in recorder._repr_html_()


def test_an_open_recording_can_be_read(open_recorder, gradient):
    recorder = open_recorder()
    recorder(PARAMS, BATCH, gradient)
    recorder(PARAMS, BATCH, gradient)
    assert len(array_files.read_trace(recorder.folder)) == 1
    assert store.read_status(recorder.folder) == recordings.OPEN
    assert "Not closed: under way, or interrupted after the record of step 0" in (
        recorder.report().read_text()
    )


def test_a_replaced_recorder_writes_nothing_more(open_recorder, gradient):
    earlier = open_recorder()
    earlier(PARAMS, BATCH, gradient)
    later = open_recorder(fresh=True)
    with pytest.raises(UserError, match="closed"):
        earlier(PARAMS, BATCH, gradient)
    later.finish()
    assert len(array_files.read_trace(later.folder)) == 0


def test_a_changed_trace_is_noticed(open_recorder, gradient):
    recorder = open_recorder()
    recorder(PARAMS, BATCH, gradient)
    recorder.finish()
    trace = recorder.folder / "trace.parquet"
    trace.write_bytes(trace.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"damaged: trace\.parquet"):
        recorded_report.read(recorder.directory)


@pytest.mark.parametrize("kind", ["risk", "gradients", "layers", "dead", "updates"])
def test_figures_of_a_trace(open_recorder, gradient, kind):
    recorder = open_recorder()
    for _ in range(3):
        recorder(PARAMS, BATCH, gradient)
    assert recorder.plot(kind).axes
    with pytest.raises(UserError, match="does not have what `metrics` shows"):
        recorder.plot("metrics")


def call(recorder, gradients=None, params=PARAMS, batch=BATCH):
    recorder(params, batch, {"weight": jnp.ones(2)} if gradients is None else gradients)


MISTAKES = {
    "shapes": (
        lambda r: call(r, {"weight": jnp.ones(3)}),
        r"`weight` has the shape \(2,\) in `params`, \(3,\) in `gradients`",
    ),
    "paths": (lambda r: call(r, {"bias": jnp.ones(2)}), "`weight` .* no array in `gradients`"),
    "batch": (
        lambda r: call(r, batch=BATCH[0]),
        r"`batch`: found ndarray, expected \(inputs, targets\)",
    ),
    "closed": (lambda r: (r.finish(), call(r)), "the recorder of `mine` is closed"),
    "twice": (lambda r: (r.finish(), r.finish()), "the recorder of `mine` is closed"),
    "empty": (lambda r: r.plot(), "nothing has been recorded yet"),
    "kind": (lambda r: (call(r), r.finish(), r.plot("ded")), "no kind of figure `ded`"),
    "label": (lambda r: landscape.Recorder(line, squared, out=r.directory.parent), "already holds"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_loop_is_described(open_recorder, mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        make(open_recorder())


OPTIONS = {
    "every": ({"every": 0}, "`every`: found 0, expected a positive number of steps"),
    "name": ({"name": "a/b"}, "`name`: found 'a/b'"),
    "metrics": ({"metrics": [accuracy]}, "`metrics` needs an evaluation set: found accuracy"),
    "metric": ({"metrics": [3]}, "`metrics`: found int, expected a name or a function"),
    "evaluation": ({"evaluation": BATCH[0]}, "`evaluation`: found ndarray"),
    "filter_axes": ({"filter_axes": "middle"}, "`filter_axes`: found 'middle'"),
    "loss": ({"loss": 3}, "`loss`: found int, expected a function"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options_are_checked(tmp_path, option):
    options, message = OPTIONS[option]
    with pytest.raises(UserError, match=message):
        landscape.Recorder(line, **{"loss": squared, "out": tmp_path} | options)
    assert not [*tmp_path.iterdir()]


def test_the_folder_of_an_experiment_is_refused(tmp_path):
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "experiment.yaml").write_text("")
    with pytest.raises(UserError, match="holds the results of an experiment"):
        landscape.Recorder(line, squared, out=tmp_path)


def test_results_and_export_read_a_recording(open_recorder, gradient, tmp_path):
    recorder = open_recorder(every=2, label="two steps")
    for scale in (1.0, 2.0, 4.0):
        recorder(PARAMS, BATCH, {"weight": scale * gradient["weight"]})
    recorder.finish()
    results = landscape.results(recorder.directory)
    assert results.status.tolist() == ["recorded"]
    (row,) = results.runs.to_dict("records")
    assert (row["label"], row["steps"], row["records"]) == ("two steps", 3, 2)
    norms = results.traces["gradient_norm/global"].tolist()
    assert norms == pytest.approx([2**0.5, 4 * 2**0.5])
    (source,) = trackers._recordings(recorder.directory).runs
    assert source.metrics["gradient_norm/global"].tolist() == norms
    assert source.params["every"] == 2 and source.tags["status"] == "done"
    assert {path.name for path in source.artifacts} >= {"trace.parquet", "recording.json"}


def test_a_recorded_loop_requires_a_framework_that_completes_its_rows():
    with pytest.raises(TypeError, match="_complete"):
        RecordedLoop()
