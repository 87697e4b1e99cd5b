"""A recorded loop of PyTorch has the numbers of torch, of NumPy, of JAX, and of a run."""

import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import landscape  # noqa: E402
from landscape.errors import UserError  # noqa: E402
from landscape.parts.metrics import (  # noqa: E402
    Snapshot,
    dead_gradients,
    gradient_norm,
    update_ratio,
)
from landscape.report import recordings as recorded_report  # noqa: E402
from landscape.storage import array_files, recordings, store  # noqa: E402

pytestmark = pytest.mark.usefixtures("unrendered_figures")

nn = torch.nn


class Small(nn.Module):
    """A convolution, dropout, a linear layer, and a layer that no loss reaches."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)
        self.dropout = nn.Dropout(0.25)
        self.output = nn.Linear(4 * 16, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, inputs):
        hidden = torch.relu(self.convolution(inputs) - 0.3)
        return self.output(self.dropout(hidden.flatten(1)))


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn((5, 8, 1, 6, 6), generator=generator)
    targets = torch.randint(0, 3, (5, 8), generator=generator)
    return [*zip(inputs, targets, strict=True)]


def module():
    torch.manual_seed(0)
    return Small()


@pytest.fixture
def record(tmp_path):
    recorders = []

    def create(module, loss=None, every=1, **options):
        recorder = landscape.torch.Recorder(
            module, loss or nn.CrossEntropyLoss(), every, out=tmp_path, **options
        )
        recorders.append(recorder)
        return recorder

    yield create
    for recorder in recorders:
        recorder._discard()


def train(model, batches, recorder=None, loss=None, rate=0.1):
    """Trains and returns the gradients of each step, and the parameters around them."""
    loss, gradients, params = loss or nn.CrossEntropyLoss(), [], [arrays(model)]
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for inputs, targets in batches:
        predictions = model(inputs)
        optimizer.zero_grad()
        loss(predictions, targets).backward()
        if recorder is not None:
            recorder.step(predictions, targets)
        gradients.append(arrays(model, lambda p: torch.zeros_like(p) if p.grad is None else p.grad))
        optimizer.step()
        params.append(arrays(model))
    return gradients, params


def arrays(model, of=lambda p: p):
    return {name: of(p).detach().clone().numpy() for name, p in model.named_parameters()}


def test_gradient_norms_are_those_of_torch(record, batches):
    model = module()
    recorder = record(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    totals, layers = [], []
    for inputs, targets in batches:
        predictions = model(inputs)
        optimizer.zero_grad()
        nn.functional.cross_entropy(predictions, targets).backward()
        recorder.step(predictions, targets)
        totals.append(nn.utils.clip_grad_norm_(model.parameters(), 1e9).item())
        layers.append(nn.utils.clip_grad_norm_(model.output.parameters(), 1e9).item())
        optimizer.step()
    recorder.finish()
    trace = recorder.trace
    np.testing.assert_allclose(trace["gradient_norm/global"], totals, rtol=1e-6)
    np.testing.assert_allclose(trace["gradient_norm/layer/output"], layers, rtol=1e-6)
    assert (trace["gradient_norm/layer/unused"] == 0).all()
    assert "No gradient reaches unused." in recorder.report().read_text()


def test_dead_fractions_are_those_counted_by_hand(record, batches):
    def hinge(predictions, targets):
        signs = 2.0 * nn.functional.one_hot(targets, 3) - 1
        return torch.clamp(0.4 - signs * predictions, min=0).mean()

    model = module()
    with torch.no_grad():
        model.convolution.bias[2] = -100.0  # a filter that no input activates
    recorder = record(model, hinge)
    seen = []
    model.register_forward_hook(lambda *call: seen.append(call[-1].detach().numpy()))
    gradients, _ = train(model, batches, recorder, hinge)
    recorder.finish()
    trace = recorder.trace
    for row, gradient, predictions, (_, targets) in zip(
        trace.to_dict("records"), gradients, seen, batches, strict=True
    ):
        slack = 0.4 - (2 * np.eye(3)[targets.numpy()] - 1) * predictions
        assert row["dead/components"] == (slack < 0).mean()
        assert row["dead/examples"] == (slack < 0).all(axis=1).mean()
        zeros = {name: array == 0 for name, array in gradient.items()}
        size = sum(zero.size for zero in zeros.values())
        assert row["dead/weights"] == sum(zero.sum() for zero in zeros.values()) / size
        weights = [zero for name, zero in zeros.items() if name.endswith("weight")]
        units = np.concatenate([zero.reshape(len(zero), -1).all(axis=1) for zero in weights])
        assert row["dead/units"] == units.mean() and units[2] and units[-2:].all()


def test_definitions_are_those_of_jax(record, batches):
    model = module()
    recorder = record(model)
    gradients, params = train(model, batches[:2], recorder)
    recorder.finish()
    row = recorder.trace.iloc[0]

    def tree(flat):
        layers = {}
        for name, array in flat.items():
            layer, kind = name.split(".")
            layers.setdefault(layer, {})[kind] = jnp.asarray(array)
        return layers

    before, after, gradient = tree(params[0]), tree(params[1]), tree(gradients[0])
    snapshot = Snapshot(
        jnp.zeros(1),
        jnp.zeros(1),
        params=before,
        gradients=gradient,
        updates=jax.tree.map(jnp.subtract, after, before),
    )
    expected = gradient_norm()(snapshot) | update_ratio()(snapshot)
    axes = jax.tree.map(lambda a: None if a.ndim == 1 else 0, before)
    dead = Snapshot(jnp.zeros(1), jnp.zeros(1), evaluation_gradients=gradient, filter_axes=axes)
    expected |= dead_gradients()(dead)
    assert set(expected) < set(row.index)
    for name, value in expected.items():
        assert row[name] == pytest.approx(float(value), rel=1e-5, abs=1e-9), name


def test_the_columns_are_those_of_a_run_on_the_same_batches(record, trained_run):
    model = nn.Sequential()
    model.layers = nn.ModuleList([nn.Linear(64, 8)])
    model.output = nn.Linear(8, 10)
    names = {name: name.replace(".", "/") for name in model.state_dict()}
    model.load_state_dict(
        {name: torch.tensor(trained_run.params[path]) for name, path in names.items()}
    )
    model.forward = lambda x: model.output(torch.relu(model.layers[0](x)))
    recorder = record(model, every=4)
    train(
        model,
        [tuple(map(torch.tensor, batch)) for batch in trained_run.batches[:-1]],
        recorder,
    )
    recorder.finish()
    trace, expected = recorder.trace, trained_run.trace.iloc[:-1]
    of_batch = [name for name in trace if not name.startswith("dead/")]
    assert {"step", "risk/batch", "update_ratio/layer/layers/0"} < set(of_batch) < set(expected)
    for name in of_batch:
        tolerance = 1e-3 if name.startswith("update_ratio") else 2e-5
        np.testing.assert_allclose(trace[name], expected[name], rtol=tolerance, err_msg=name)


def test_training_is_the_same_with_and_without_a_recorder(record, batches):
    def noisy(predictions, targets):
        noise = 0.1 * torch.randn_like(predictions)
        return nn.functional.cross_entropy(predictions + noise, targets)

    alone, recorded = module(), module()
    torch.manual_seed(3)
    _, expected = train(alone, batches, loss=noisy)
    torch.manual_seed(3)
    _, params = train(recorded, batches, record(recorded, noisy), noisy)
    for name, array in params[-1].items():
        np.testing.assert_array_equal(array, expected[-1][name])


def test_only_the_requested_steps_are_recorded(record, batches):
    model = module()
    recorder = record(model, every=2)
    _, params = train(model, batches, recorder)
    recorder.finish()
    assert list(recorder.trace["step"]) == [0, 2, 4]
    sizes = [np.sqrt(sum((a**2).sum() for a in point.values())) for point in params]
    moved = [
        np.sqrt(sum(((params[s + 1][n] - params[s][n]) ** 2).sum() for n in params[0]))
        for s in (0, 2, 4)
    ]
    expected = [m / sizes[s] for m, s in zip(moved, (0, 2, 4), strict=True)]
    np.testing.assert_allclose(recorder.trace["update_ratio"], expected, rtol=1e-4)


def test_accumulated_and_scaled_gradients_have_the_norm_of_the_whole_batch(record, batches):
    inputs, targets = (torch.cat(arrays) for arrays in zip(*batches, strict=True))
    rows = {}
    for label in ("whole", "accumulated", "scaled"):
        model = module().eval()
        recorder = record(model, label=label)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=label == "scaled")
        parts = batches if label == "accumulated" else [(inputs, targets)]
        for part, answers in parts:
            predictions = model(part)
            value = nn.functional.cross_entropy(predictions, answers) / len(parts)
            scaler.scale(value).backward()
        recorder.step(predictions, answers, scaler=scaler)
        recorder.finish()
        rows[label] = recorder.trace["gradient_norm/global"][0]
    assert rows["accumulated"] == pytest.approx(rows["whole"], rel=1e-5)
    assert rows["scaled"] == pytest.approx(rows["whole"], rel=1e-6)


def test_wrappers_do_not_change_the_names_of_layers(record):
    inner = nn.Sequential(nn.Linear(2, 2))
    wrapped = nn.DataParallel(torch.compile(inner, backend="eager"))
    predictions = inner(torch.ones(3, 2))
    predictions.sum().backward()
    recorder = record(wrapped, nn.MSELoss())
    recorder.step(predictions, torch.zeros(3, 2))
    recorder.finish()
    assert "gradient_norm/layer/0" in recorder.trace


def test_several_optimizers_and_sparse_and_half_precision_gradients(record):
    words, output = nn.Embedding(9, 4, sparse=True), nn.Linear(4, 1)
    model = nn.ModuleDict({"words": words, "output": output}).bfloat16()
    optimizers = [torch.optim.SGD(m.parameters(), 0.1) for m in (words, output)]
    predictions = output(words(torch.tensor([0, 1, 1])))
    predictions.float().pow(2).mean().backward()
    recorder = record(model, nn.MSELoss())
    recorder.step(predictions, torch.zeros(3, 1))
    for optimizer in optimizers:
        optimizer.step()
    recorder.finish()
    row = recorder.trace.iloc[0]
    assert row["dead/weights"] == (7 * 4) / (9 * 4 + 5)
    assert row["update_ratio/layer/words"] > 0 and row["update_ratio/layer/output"] > 0


def test_norms_do_not_overflow_or_vanish(record):
    model = nn.Linear(2, 1, bias=False)
    recorder = record(model, nn.L1Loss())
    for size in (1e30, 1e-30):
        model.weight.grad = torch.full((1, 2), size)
        recorder.step(torch.ones(1, 1), torch.zeros(1, 1))
    recorder.finish()
    np.testing.assert_allclose(
        recorder.trace["gradient_norm/global"], np.sqrt(2) * np.array([1e30, 1e-30]), rtol=1e-6
    )


def test_a_loop_that_diverges_is_recorded(record, batches):
    model = module()
    with record(model) as recorder:
        train(model, batches * 3, recorder, rate=1e12)
    ((run,), _) = recorded_report.read(recorder.directory)
    assert run.record.diverged_step == recorder.trace["step"].iloc[-1] < 14
    page = recorder.report().read_text()
    assert f"Diverged: from recorded step {run.record.diverged_step} on" in page


def test_a_loop_that_is_killed_keeps_its_trace(tmp_path):
    code = """
        import torch, landscape
        from landscape.storage.array_files import read_trace
        model = torch.nn.Linear(2, 1)
        recorder = landscape.torch.Recorder(model, torch.nn.MSELoss(), 1)
        for step in range(10**9):
            predictions = model(torch.ones(4, 2))
            predictions.sum().backward()
            recorder.step(predictions, torch.zeros(4, 1))
            if step % 100 == 99 and len(read_trace(recorder.folder)) > 50:
                print("recorded", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "recorded\n"
        process.kill()
    folder = tmp_path / "runs" / "recorded" / "runs" / "mine"
    assert store.read_status(folder) == recordings.OPEN
    assert len(array_files.read_trace(folder)) > 50
    recorded_report.build(tmp_path / "runs" / "recorded")
    page = (tmp_path / "runs" / "recorded" / "report" / "index.html").read_text()
    assert "Not closed: under way, or interrupted after the record of step" in page


def test_a_script_that_ends_finishes_its_recorders_and_never_imports_jax(tmp_path):
    code = """
        import sys, torch, landscape
        model = torch.nn.Linear(2, 1)
        recorder = landscape.torch.Recorder(model, torch.nn.MSELoss(), 1)
        predictions = model(torch.ones(4, 2))
        predictions.sum().backward()
        recorder.step(predictions, torch.zeros(4, 1))
        sys.exit("jax" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(command, cwd=tmp_path, check=True)
    folder = tmp_path / "runs" / "recorded" / "runs" / "mine"
    assert store.read_status(folder) == recordings.CLOSED
    assert len(array_files.read_trace(folder)) == 1


MISTAKES = {
    "order": (lambda r: r.step(torch.ones(1), torch.ones(1)), "no parameter .* has a gradient"),
    "closed": (lambda r: (r.finish(), r.step(torch.ones(1), torch.ones(1))), "is closed"),
    "module": (lambda r: landscape.torch.Recorder(3, nn.MSELoss()), "`module`: found int"),
    "loss": (lambda r: landscape.torch.Recorder(nn.Linear(1, 1), 3), "`loss`: found int"),
    "every": (lambda r: landscape.torch.Recorder(nn.Linear(1, 1), nn.MSELoss(), 0), "`every`"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_described(record, mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        make(record(nn.Linear(1, 1)))


def test_module_and_loss_the_other_way_around(tmp_path):
    with pytest.raises(UserError, match="CrossEntropyLoss has no parameters"):
        landscape.torch.Recorder(nn.CrossEntropyLoss(), nn.Linear(1, 1), out=tmp_path)
    with pytest.raises(UserError, match="`apply`: found int, expected a function"):
        landscape.Recorder(3, nn.functional.mse_loss, out=tmp_path)


def test_predictions_must_be_a_tensor(record):
    model = nn.Linear(1, 1)
    model(torch.ones(1, 1)).sum().backward()
    with pytest.raises(UserError, match="`predictions`: found dict, expected a tensor"):
        record(model).step({"logits": torch.ones(1)}, torch.ones(1))
