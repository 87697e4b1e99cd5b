"""`landscape look`: a point of a function, and parameters of a finished run in a file."""

import numpy as np
import pytest
from helpers.command_line import invoke

from landscape import load, results, run
from landscape.storage import store

pytestmark = pytest.mark.usefixtures("unrendered_figures")

SLICES = "slices: {lines: {directions: 2, points: 3}, planes: null}\n"
POINT = """
import numpy as np
from landscape import TrainedPoint


def apply(params, inputs):
    return (inputs @ params["w"])[:, 0]


def point():
    inputs = np.arange(12, dtype=np.float32).reshape(4, 3)
    data, params = (inputs, inputs[:, 0]), {"w": np.ones((3, 1))}
    return TrainedPoint(params, apply, data, filter_axes="last", description="ones")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run, and the folder of its results."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.yaml").write_text(
        "dataset: {name: digits}\nmodel: {name: mlp, widths: [4]}\nlosses: [brier]\nseeds: [3]\n"
        "steps: 2\nrecord_every: 1\naudit: false\n" + SLICES
    )
    sweep = run(load(folder / "train.yaml"), folder / "runs", tell=len)
    return folder, sweep


def test_a_look_at_the_parameters_of_a_run_has_the_bytes_of_its_slices(trained):
    folder, sweep = trained
    (run_id,) = sweep.status.index
    source = store.run_folder(sweep.directory, run_id)
    (folder / "look.yaml").write_text(
        f"point: {{params: '{source / 'params.safetensors'}', dataset: digits,\n"
        "  model: {name: mlp, widths: [4]}}\nloss: brier\nlabel: again\nseeds: [3]\n" + SLICES
    )
    done = invoke("look", "look.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (look_id,) = results(folder / "runs" / "look").status.index
    target = store.run_folder(folder / "runs" / "look", look_id)
    assert (target / "slices.npz").read_bytes() == (source / "slices.npz").read_bytes()
    looked, stored = (results(f.parent.parent).params[f.name] for f in (target, source))
    for name in ("trained/layers/0/weight", "initial/layers/0/weight"):
        np.testing.assert_array_equal(looked[name], stored[name])


def test_a_point_of_a_function_is_looked_at_once(tmp_path):
    (tmp_path / "my_point.py").write_text(POINT)
    text = "point: 'my_point.py:point'\nloss: squared_error\ntask: regression\n" + SLICES
    (tmp_path / "look.yaml").write_text(text)
    for pending in (1, 0):
        done = invoke("look", "look.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"1 run, {pending} to do" in done.stderr
    look = results(tmp_path / "runs" / "look")
    assert look.status.tolist() == ["looked"]
    inputs = np.arange(12).reshape(4, 3)
    expected = np.mean((inputs.sum(axis=1) - inputs[:, 0]) ** 2)
    assert look.runs["risk/evaluation"].item() == pytest.approx(expected, rel=1e-6)
    (tmp_path / "my_point.py").write_text(POINT.replace("np.ones((3", "np.zeros((3"))
    again = invoke("look", "look.yaml", cwd=tmp_path)
    assert "1 run is looked at again" in again.stderr
    assert look.runs["risk/evaluation"].item() == pytest.approx(np.mean(inputs[:, 0] ** 2.0))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("steps: 5", "`steps` has no meaning for a point: nothing is trained"),
        ("seeds: 2", "`seeds` lists 2 seeds, but a point is looked at once"),
        ("losses: [brier]", "found both `loss` and `losses`"),
    ],
)
def test_keys_of_a_training_are_refused(line, message, tmp_path):
    (tmp_path / "my_point.py").write_text(POINT)
    text = f"point: 'my_point.py:point'\nloss: squared_error\n{line}\n"
    (tmp_path / "look.yaml").write_text(text)
    done = invoke("validate", "look.yaml", cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
    assert "look.yaml:3" in done.stderr


def test_a_config_without_a_point_is_refused(trained):
    done = invoke("look", "train.yaml", cwd=trained[0])
    assert done.returncode == 2 and "the key `point` is missing" in done.stderr
