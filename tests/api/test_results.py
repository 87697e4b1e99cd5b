"""The API for scripts and notebooks: the results of the command as pandas tables."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from helpers.misbehaving_sweep import write_config

import landscape
from landscape import UserError, load, results, run
from landscape.api.run_tables import RunTables

FEW = ("losses=[brier, focal]", "steps=10", "record_every=5", "slices=null")


def test_tables_require_a_class_that_defines_their_runs():
    with pytest.raises(TypeError, match="_finished"):
        RunTables()


def test_a_sweep_runs_and_is_read_without_the_command(tmp_path):
    path, lines = write_config(tmp_path), []
    sweep = run(load(path, *FEW), tmp_path / "out", tell=lines.append)
    assert len(lines) == 4 and all(" done " in line for line in lines)
    assert sweep.status.tolist() == ["done"] * 4
    table = sweep.runs
    assert sorted(table["run"]) == sorted(sweep.status.index)
    assert sorted(set(table["loss"])) == ["brier", "focal"]
    traces = sweep.traces
    trace = traces[traces["run"] == table["run"].iloc[0]]
    assert trace["step"].tolist() == [0, 5, 10]
    folder = tmp_path / "out" / "sweep" / "runs" / table["run"].iloc[0]
    test = json.loads((folder / "summary.json").read_text())["test"]
    assert table["outcome"].iloc[0] == pytest.approx(test["accuracy"])
    assert table["accuracy"].iloc[0] == pytest.approx(trace["accuracy"].iloc[-1])
    assert sorted(sweep.comparison["loss"]) == ["brier", "focal"]
    with pytest.raises(UserError, match=r"`focal` has 2 runs in .*\n  one of: focal-.*, focal-"):
        sweep.params["focal"]
    assert "focal" not in sweep.params and set(sweep.params) == set(sweep.status.index)
    pd.testing.assert_frame_equal(results(tmp_path / "out" / "sweep").runs, table)
    lines.clear()
    run(load(path, *FEW, "seeds=3"), tmp_path / "out", tell=lines.append)
    assert len(lines) == 2


def test_the_report_warns_as_its_command_does(tmp_path):
    sweep = run(load(write_config(tmp_path), *FEW, "seeds=1"), tmp_path / "out", tell=len)
    first, second = sweep.status.index
    folder = sweep.directory / "runs" / first
    (folder / "meta.json").write_text("{}")
    (sweep.directory / "experiment.yaml").write_text("a: 1")
    assert sweep.params[first]  # meta.json has no part in it
    for _ in range(2):  # built, and up to date
        with pytest.warns(UserWarning) as caught:
            sweep.report()
        texts = [str(warning.message) for warning in caught]
        assert any("`experiment.yaml` was changed" in text for text in texts)
        assert any(text.startswith(f"omitted: {first}: damaged: meta.json") for text in texts)
    with pytest.warns(UserWarning) as caught:
        assert set(sweep.traces["run"]) == {second}
    assert any(str(w.message).startswith(f"omitted: {first}: damaged: meta") for w in caught)
    (sweep.directory / "runs" / second / "params.safetensors").write_bytes(b"changed")
    with (
        pytest.warns(UserWarning, match=f"the parameters of `{second}` were changed"),
        pytest.raises(UserError, match="has no parameters: "),
    ):
        sweep.params[second]


def test_every_mistake_is_a_user_error(tmp_path):
    path = write_config(tmp_path)
    with pytest.raises(UserError, match="there is no key `step`"):
        load(path, "step=3")
    with pytest.raises(UserError, match="has one job"):
        run(load(path, *FEW), tmp_path / "out", executor="serial", jobs=2)
    with pytest.raises(UserError, match="is not a folder"):
        results(tmp_path / "nothing").status  # noqa: B018
    with pytest.raises(UserError, match=r"run\(\) takes an experiment"):
        run(str(path), tmp_path / "out")
    with pytest.raises(UserError, match="is not a folder"):
        results(tmp_path / "nothing").params["nothing"]
    with pytest.raises(AttributeError, match="nothing"):
        landscape.nothing  # noqa: B018


SCRIPT = """
from landscape import load, run
print("once")
experiment = load("sweep.yaml", "losses=[brier]", "steps=4", "slices=null")
sweep = run(experiment, "out", executor="processes")
print(sweep.status.tolist())
"""


@pytest.mark.slow
def test_a_script_needs_no_main_guard(tmp_path):
    write_config(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "once" and lines[-1] == "['done', 'done']" and lines.count("once") == 1


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, landscape; print(sorted({'jax', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_function_run_is_not_hidden_by_the_folder_of_that_name():
    code = "import landscape.run.plan; from landscape import run; import landscape.run.progress"
    check = f"{code}; import landscape; assert run is landscape.run and callable(run)"
    subprocess.run([sys.executable, "-c", check], check=True)
