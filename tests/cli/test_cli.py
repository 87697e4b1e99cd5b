"""The command line: what is printed where, and the exit codes."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.command_line import invoke, run_process

from landscape.cli import main

pytestmark = pytest.mark.usefixtures("unrendered_figures")

ROOT = Path(__file__).parents[2]
QUICK = """
dataset: digits
model: linear
losses: [softmax_cross_entropy, zero_one]
seeds: 2
steps: 20
batch_size: 32
record_every: 10
slices:
  lines: {directions: 2, points: 5, radius: 1.0}
  planes: {draws: 1, points: [5, 3], radius: 1.0}
"""
NO_SLICES = "slices=null"  # whose figures are most of a report's time


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder with spaces")
    (folder / "quick.yaml").write_text(QUICK)
    return folder, run_process("run", "quick.yaml", NO_SLICES, cwd=folder)


def test_run_prints_the_comparison_and_the_place_of_the_report(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert "softmax" in done.stdout
    assert "zero_one" in done.stdout
    assert "gradient" in done.stdout
    assert "runs/quick/report/index.html" in done.stderr
    assert (folder / "runs/quick/report/index.html").is_file()
    assert "Traceback" not in done.stderr


def test_rerunning_the_command_trains_nothing(finished):
    folder, _ = finished
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/quick/runs/*/trace.parquet")}
    again = invoke("run", "quick.yaml", NO_SLICES, cwd=folder)
    assert again.returncode == 0
    assert "4 runs, 0 to do" in again.stderr
    assert before == {p: p.stat().st_mtime_ns for p in before}
    plan = invoke("run", "quick.yaml", NO_SLICES, "seeds=3", "--dry-run", cwd=folder)
    states = [line.split()[0] for line in plan.stdout.splitlines()]
    assert sorted(states) == ["done"] * 4 + ["new"] * 2


def test_status_and_report_need_only_the_folder(finished):
    folder, _ = finished
    output = invoke("status", "runs/quick", "--json", cwd=folder).stdout
    state = json.loads(output)
    assert [run["status"] for run in state["runs"].values()] == ["done"] * 4
    assert state["counts"] == {"done": 4} and state["held"] is None
    again = invoke("report", "runs/quick", cwd=folder)
    assert again.returncode == 0
    assert "zero_one" in again.stdout


def test_fresh_reports_what_it_deletes(finished):
    folder, _ = finished
    (folder / "other.yaml").write_text(QUICK.replace("seeds: 2", "seeds: 1"))
    quick = ["losses=[zero_one]", "slices=null", "steps=2"]
    invoke("run", "other.yaml", *quick, cwd=folder)
    again = invoke("run", "other.yaml", *quick, "--fresh", cwd=folder)
    assert again.returncode == 0
    assert "deleting" in again.stderr
    assert "1 to do" in again.stderr
    kept = sorted(folder.glob("runs/other/runs/*/status.json"))
    refused = invoke("run", "other.yaml", *quick, "batch_size=5000", "--fresh", cwd=folder)
    assert refused.returncode == 2
    assert "deleting" not in refused.stderr
    assert sorted(folder.glob("runs/other/runs/*/status.json")) == kept != []


MISTAKES = {
    "unknown key": (
        QUICK.replace("steps: 20", "step: 20"),
        ["bad.yaml:6:1", "step", "`steps`"],
    ),
    "unknown loss": (
        QUICK.replace("zero_one", "zero_won"),
        ["bad.yaml:4:33", "zero_won", "`zero_one`"],
    ),
    "wrong type": (QUICK.replace("steps: 20", "steps: many"), ["bad.yaml:6:8", "many"]),
    "negative steps": (QUICK.replace("steps: 20", "steps: -20"), ["bad.yaml:6:8", "-20"]),
    "duplicate key": (QUICK + "steps: 3\n", ["bad.yaml:12:1", "steps"]),
    "no losses": (
        QUICK.replace("[softmax_cross_entropy, zero_one]", "[]"),
        ["bad.yaml:4", "losses"],
    ),
    "sweep over nothing": (QUICK + "sweep: {optimizer.rate: [1.0]}\n", ["bad.yaml:12", "rate"]),
    "other task": (
        QUICK.replace("zero_one", "huber"),
        ["huber", "regression", "digits", "multiclass", "softmax_cross_entropy"],
    ),
    "batch too large": (QUICK.replace("batch_size: 32", "batch_size: 5000"), ["5000", "1077"]),
    "model for other inputs": (
        QUICK.replace("digits", "wine").replace("linear", "cnn"),
        ["cnn", "mlp"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_message_and_exit_code_2(tmp_path, name):
    text, expected = MISTAKES[name]
    (tmp_path / "bad.yaml").write_text(text)
    done = invoke("run", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for words in expected:
        assert words in done.stderr, done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("optax.loses:log_cosh", ["no module `optax.loses`", "did you mean `optax.losses`?"]),
        ("optax.losses:log_cos", ["has no `log_cos`", "did you mean `log_cosh`?"]),
        ("mine.pi:loss", ["no module `mine`"]),
        ("huber", ["is for regression"]),
    ],
)
def test_an_error_in_an_imported_part_names_the_line_of_the_config(tmp_path, loss, expected):
    (tmp_path / "bad.yaml").write_text(QUICK.replace("zero_one", f"'{loss}'"))
    done = invoke("validate", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    for words in ["error: bad.yaml:4:33: ", *expected]:
        assert words in done.stderr, done.stderr
    overridden = invoke("validate", "bad.yaml", f"losses=['{loss}']", cwd=tmp_path)
    assert f"error: argument `losses=['{loss}']`: " in overridden.stderr


@pytest.mark.parametrize("words", [["--batch-size", "8"], ["--batch-size=8"]])
def test_an_option_that_is_a_key_of_the_config_is_explained(tmp_path, words):
    (tmp_path / "quick.yaml").write_text(QUICK)
    done = invoke("run", "quick.yaml", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "write batch_size=8" in " ".join(done.stderr.split())


def test_a_config_that_does_not_exist_is_corrected(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "quick.yaml").write_text(QUICK)
    for name in ("configs/qiuck.yaml", "quick.yaml", "quick"):
        done = invoke("run", name, cwd=tmp_path)
        assert "did you mean `configs/quick.yaml`?" in done.stderr


def test_errors_are_wrapped_between_words_and_code_is_not_broken(tmp_path):
    (tmp_path / "bad.yaml").write_text(QUICK)
    override = "model={name: mlp, widths: [8], activation: an_activation_that_does_not_exist}"
    done = invoke("validate", "bad.yaml", override, cwd=tmp_path)
    lines = done.stderr.splitlines()
    assert f"`{override}`" in done.stderr
    assert all(len(line) <= 80 or override in line for line in lines)
    assert len(lines) > 3


USER_LOSSES = {
    "raises": ("    raise ValueError('no such thing')", ["ValueError: no such thing", "mine.py:6"]),
    "shape": ("    return jnp.ones((3, 3))", ["(3, 3)", "(32,)", "mine.py:5"]),
    "integer": ("    return jnp.argmax(predictions, axis=1)", ["int32", "floating"]),
    "nan": ("    return jnp.log(-jnp.abs(predictions) - 1)", ["NaN", "100%"]),
    "numpy": ("    return np.asarray(predictions).sum(axis=1)", ["jax.numpy", "mine.py:6"]),
    "float": ("    return float(predictions.sum())", ["mine.py:6", "float"]),
    "branch": (
        "    return predictions.sum() if predictions.sum() > 0 else targets.sum()",
        ["jnp.where", "mine.py:6"],
    ),
    "tuple": ("    return predictions, targets", ["tuple"]),
    "arguments": ("    return loss(predictions)", ["TypeError", "mine.py:6"]),
}


@pytest.mark.parametrize("name", USER_LOSSES)
def test_a_mistake_in_a_user_defined_loss_names_the_line(tmp_path, name):
    body, expected = USER_LOSSES[name]
    imports = "import jax.numpy as jnp\nimport numpy as np\n\n\n"
    code = f"{imports}def loss(predictions, targets):\n{body}\n"
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "bad.yaml").write_text(QUICK.replace("zero_one", "'mine.py:loss'"))
    done = invoke("run", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for words in expected:
        assert words in done.stderr, done.stderr


def test_runs_that_fail_are_named_and_the_exit_code_is_3(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import jax, jax.numpy as jnp, numpy as np\n"
        "CALLS = []\n"
        "def _fuse(x):\n"
        "    CALLS.append(1)\n"
        "    if len(CALLS) > 6: raise RuntimeError('the fuse blew')\n"
        "    return x\n"
        "def fuse(predictions, targets):\n"
        "    values = jnp.sum((predictions - targets) ** 2, axis=1)\n"
        "    kept = jax.lax.stop_gradient(values)\n"
        "    shape = jax.ShapeDtypeStruct(values.shape, values.dtype)\n"
        "    return values + 0 * jax.pure_callback(_fuse, shape, kept)\n"
    )
    text = QUICK.replace("zero_one", "{name: 'mine.py:fuse', label: fuse}")
    (tmp_path / "fuse.yaml").write_text(text.replace("seeds: 2", "seeds: 1"))
    done = invoke("run", "fuse.yaml", "slices=null", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "1 of 2 runs failed" in done.stderr
    assert "the fuse blew" in done.stderr
    assert "softmax" in done.stdout


def test_init_writes_an_experiment_that_runs_and_never_overwrites(tmp_path):
    done = invoke("init", "mine", cwd=tmp_path)
    assert done.returncode == 0
    short = ["seeds=1", "steps=5", "slices=null"]
    ran = invoke("run", "mine/experiment.yaml", *short, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "ramp" in ran.stdout
    before = (tmp_path / "mine" / "my_losses.py").read_text()
    again = invoke("init", "mine", cwd=tmp_path)
    assert again.returncode == 2
    assert "already exists; nothing was overwritten" in again.stderr
    assert (tmp_path / "mine" / "my_losses.py").read_text() == before


@pytest.mark.parametrize(
    "args",
    [
        ["run", "missing.yaml"],
        ["run", "."],
        ["validate", "missing.yaml"],
        ["report", "missing"],
        ["status", "missing"],
        ["list", "loses"],
        ["run"],
        ["fly"],
    ],
)
def test_missing_inputs_are_reported_without_a_traceback(tmp_path, args):
    done = invoke(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert not done.stdout


HEAVY = {"jax", "pandas", "matplotlib", "sklearn", "scipy", "numpy", "markdown_it"}
CONFIG = {"pydantic", "ruamel"}
NOT_IMPORTED = [
    (["--help"], HEAVY | CONFIG | {"landscape.catalog", "concurrent.futures"}),
    (["run", "--help"], HEAVY | CONFIG | {"landscape.catalog", "concurrent.futures"}),
    (["list"], HEAVY | CONFIG),
    (["list", "losses"], HEAVY | CONFIG),
    (["audit", "--help"], HEAVY | CONFIG),
    (["explain", "G202"], HEAVY | CONFIG),
    (["schema"], HEAVY),
    (["run", "bad.yaml"], HEAVY | {"rich.console"}),
    (["validate", "bad.yaml"], HEAVY | {"rich.console"}),
    (["run", "quick.yaml", "stepz=3"], HEAVY | {"rich.console"}),
    (["run", "quick.yaml", "--dry-run"], {"jax", "pandas", "matplotlib", "sklearn", "scipy"}),
]


@pytest.mark.parametrize(
    ("args", "modules"), NOT_IMPORTED, ids=[" ".join(args) for args, _ in NOT_IMPORTED]
)
def test_help_list_and_config_errors_do_not_import_what_they_do_not_need(tmp_path, args, modules):
    (tmp_path / "bad.yaml").write_text("dataset: digit\n")
    (tmp_path / "quick.yaml").write_text(QUICK)
    script = (
        "import sys\nfrom landscape.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        f"imported = {modules} & set(sys.modules)\n"
        "assert not imported, imported\n"
    )
    command = [sys.executable, "-c", script, *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout or "error" in done.stderr


def test_schema_accepts_the_configs_and_refuses_an_unknown_key(tmp_path):
    schema = json.loads(invoke("schema", cwd=tmp_path).stdout)
    assert "losses" in schema["properties"]
    assert schema["additionalProperties"] is False


def test_list_names_every_family(tmp_path):
    done = invoke("list", "--json", cwd=tmp_path)
    entries = json.loads(done.stdout)
    names = {(entry["family"], entry["name"]) for entry in entries}
    for wanted in [
        ("losses", "lovasz_hinge"),
        ("models", "resnet"),
        ("datasets", "digit_masks"),
        ("optimizers", "lion"),
        ("schedules", "warmup_cosine"),
        ("metrics", "accuracy"),
        ("directions", "random"),
        ("activations", "gelu"),
    ]:
        assert wanted in names
    text = invoke("list", "losses", cwd=tmp_path).stdout
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_folder_without_permission_is_reported_without_a_traceback(monkeypatch):
    def refuse(name):
        method = getattr(Path, name)

        def refusing(path, *arguments, **options):
            if path.parts[:1] == ("theirs",):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return method(path, *arguments, **options)

        monkeypatch.setattr(Path, name, refusing)

    refuse("is_file")
    refuse("is_dir")
    for name in ("status", "report"):
        done = CliRunner().invoke(main, [name, "theirs"])
        assert done.exit_code == 2 and isinstance(done.exception, SystemExit)
        assert done.stderr.startswith("error: theirs") and "Permission denied" in done.stderr
