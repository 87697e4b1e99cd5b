"""What the README and the docs show is true: commands are accepted, configs load, code runs."""

import contextlib
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from helpers import churn_table, reader_data
from helpers.command_line import invoke
from helpers.in_process_runs import ended_runs

from landscape import config
from landscape.config import Experiment
from landscape.run.preflight import build_dataset
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_files, store

pytestmark = pytest.mark.usefixtures("unrendered_figures")

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Overrides of the quickstart that keep one loss and little to measure.
FEW = [
    "steps=4",
    "losses=[softmax_cross_entropy]",
    "slices.planes=null",
    "slices.lines.directions=2",
    "slices.lines.points=3",
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands():
    for page in PAGES:
        for line in page.read_text().splitlines():
            found = re.fullmatch(r"    (?:\.venv/bin/)?(landscape .*?)(?:\s+#(.*))?", line)
            if found:
                code = re.search(r"exit (\d)", found[2] or "")
                expected = int(code[1]) if code else 0
                yield pytest.param(found[1], expected, id=f"{page.stem}: {found[1]}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, unrendered_figures):
    """A folder as a reader has it: the repository's configs, what `landscape init` wrote, and the
    files of the pages, which start with their name."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "configs").symlink_to(ROOT / "configs")
    for page in PAGES:
        for code in [*blocks(page, "python"), *blocks(page, "yaml")]:
            if named := re.match(r"# (\w+\.(?:py|yaml))\n", code):
                (folder / named[1]).write_text(code)
    invoke("init", "mine", cwd=folder)
    churn_table.write(folder / "churn.csv")
    reader_data.write_counts(folder)
    invoke("init", "churn", "--from", "churn.csv", "--target", "churned", cwd=folder)
    assert invoke("run", "configs/quickstart.yaml", *FEW, "seeds=1", cwd=folder).returncode == 0
    shutil.copytree(folder / "runs", folder / "first")  # commands of the pages add runs
    return folder


@pytest.mark.parametrize(("command", "expected"), list(commands()))
def test_commands_are_accepted(command, expected, folder):
    """An audit that finds a loss untrainable exits with 1, where the page says so beside it."""
    words = shlex.split(command)
    if words[1] == "init":
        shutil.rmtree(folder / "another", ignore_errors=True)
        words[2] = f"another/{len(words)}"
    if words[1] in ("run", "compare") and "--dry-run" not in words:
        words.append("--dry-run")
    if "--estimate" in words:  # it trains: a little
        words += ["losses=[brier]", "seeds=1", "slices=null"]
    done = invoke(*words[1:], cwd=folder)
    assert done.returncode == expected, done.stdout + done.stderr


def test_the_config_reference_names_every_key_with_its_default(tmp_path):
    (text,) = (b for b in blocks(ROOT / "docs/configs.md", "yaml") if "seeds:" in b)
    (tmp_path / "all.yaml").write_text(text)
    shown = config.load(tmp_path / "all.yaml", ())
    named = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    assert named == set(Experiment.model_fields) - {"name", "folder"}
    for key in (
        "steps",
        "batch_size",
        "record_every",
        "evaluation",
        "gradients",
        "slices",
        "checkpoints",
        "curvature",
        "across",
        "audit",
        "execution",
        "resources",
        "seeds",
    ):
        default = Experiment.model_fields[key].default
        if key != "slices":
            assert getattr(shown, key) == default, key
    assert shown.slices.lines == Experiment.model_fields["slices"].default.lines
    assert shown.slices.planes == Experiment.model_fields["slices"].default.planes


def test_the_config_page_shows_the_defaults_of_what_is_measured_and_examples_that_load(tmp_path):
    base = {"dataset": "digits", "model": "mlp", "losses": "[brier]"}
    shown = []
    for number, text in enumerate(blocks(ROOT / "docs/configs.md", "yaml")[1:]):
        missing = [f"{key}: {value}\n" for key, value in base.items() if f"{key}:\n" not in text]
        (tmp_path / f"{number}.yaml").write_text("".join(missing) + text)
        shown.append(config.load(tmp_path / f"{number}.yaml", ()))
    directions, conditions, measured = shown
    for part in (conditions.dataset, conditions.model):
        defaults = {name: type(part).model_fields[name].default for name in part.conditions}
        assert {name: getattr(part, name) for name in defaults} == defaults
    assert {d.name for d in directions.slices.directions()} >= {"random", "eigenvector"}
    assert measured.curvature == config.CurvatureSettings()
    assert measured.across == config.AcrossSettings()


def test_the_configs_of_the_first_pages_load(tmp_path, folder):
    (more,) = blocks(ROOT / "docs/start.md", "yaml")
    (text,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "more.yaml").write_text("dataset: digits\nmodel: mlp\nlosses: [brier]\n" + more)
    assert config.load(tmp_path / "more.yaml", ()).slices.plane_labels()[0].startswith("trajectory")
    (tmp_path / "readme.yaml").write_text(text)
    (tmp_path / "my_losses.py").write_text((folder / "mine" / "my_losses.py").read_text())
    runs = config.expand(config.load(tmp_path / "readme.yaml", ()))
    assert len({run.loss.name for run in runs}) == 4


def test_the_audit_from_python_runs(capsys):
    for code in blocks(ROOT / "docs/audit.md", "python"):
        if not code.startswith("# "):
            names: dict = {}
            exec(code, names)
            for name in names:
                if name.startswith("test_"):
                    names[name]()
    assert "D102" in capsys.readouterr().out


def test_the_audit_of_a_file_prints_what_the_docs_show(folder):
    shown = (ROOT / "docs" / "audit.md").read_text().partition("\nit prints\n\n```\n")[2]
    printed = invoke("audit", "losses.py", cwd=folder).stdout
    assert shown.partition("```")[0].split() == printed.split()


@pytest.mark.slow
def test_the_sweep_from_python_runs(folder, capsys):
    (code,) = blocks(ROOT / "docs/sweeps.md", "python")
    code = code.replace('"steps=100"', ", ".join(map(repr, FEW)))
    with contextlib.chdir(folder):
        exec(code, {})
    assert capsys.readouterr().out.count(" done ") == 1  # the other seed was there


def test_the_limits_of_the_docs_load(tmp_path):
    (text,) = blocks(ROOT / "docs/sweeps.md", "yaml")
    (tmp_path / "limits.yaml").write_text("dataset: digits\nmodel: mlp\nlosses: [brier]\n" + text)
    shown = config.load(tmp_path / "limits.yaml", ())
    assert shown.execution == config.Execution(time_limit=600.0, memory_limit=4 * 2**30)
    assert shown.resources == config.Resources()


@pytest.mark.slow
def test_the_parts_of_the_docs_run_together(tmp_path):
    families = ("losses", "arguments", "models", "datasets", "metrics", "directions")
    unnamed = [b for b in blocks(ROOT / "docs/own_parts.md", "python") if not b.startswith("# ")]
    for family, code in zip(families, unnamed, strict=True):
        (tmp_path / f"my_{family}.py").write_text(code)
    (tmp_path / "own.yaml").write_text(
        "dataset: digits\n"
        "model: {name: 'my_models.py:wide', width: 8}\n"
        "losses: [{name: 'my_losses.py:ramp', label: ramp, limit: 5.0}]\n"
        "seeds: 1\nsteps: 2\n"
        "slices: {planes: null,"
        " lines: {direction: 'my_directions.py:last_layer', directions: 2, points: 3}}\n"
    )
    (tmp_path / "metric.yaml").write_text(
        "dataset: {name: 'my_datasets.py:parabola', noise: 0.2}\n"
        "model: linear\nlosses: ['my_arguments.py:weighted']\n"
        "seeds: 1\nsteps: 2\nslices: null\n"
        + next(b for b in blocks(ROOT / "docs/own_parts.md", "yaml") if "judge_by" in b)
    )
    for name in ("own", "metric"):
        runs = config.expand(config.load(tmp_path / f"{name}.yaml", ()))
        workshop = ProgramCache()
        prepare(runs, workshop)
        done = ended_runs(runs, tmp_path / "out", workshop)
        ((run, status, _),) = done
        assert status == "done"
        if name == "own":
            slices = array_files.read_slices(store.run_folder(tmp_path / "out", run.id))
            assert slices["trained/lines/last_layer/risk"].shape == (2, 3)


def test_the_module_of_flax_on_the_page_is_a_model(tmp_path):
    page = ROOT / "docs/own_parts.md"
    (code,) = (b for b in blocks(page, "python") if b.startswith("# my_nets.py"))
    (tmp_path / "my_nets.py").write_text(code)
    (model,) = re.findall(r"`(model: .*?my_nets.py:Net\", width.*?)`", page.read_text())
    text = f"dataset: digits\n{model}\nlosses: [brier]\nseeds: 1\nslices: null\n"
    (tmp_path / "nets.yaml").write_text(text)
    (run,) = config.expand(config.load(tmp_path / "nets.yaml", ()))
    shapes = jax.eval_shape(ProgramCache().model(run).init, jax.random.key(0))
    assert shapes["Dense_0"]["kernel"].shape == (64, 16)
    assert shapes["Dense_1"]["kernel"].shape == (16, 10)


def test_the_datasets_of_the_docs_can_be_read(tmp_path):
    reader_data.write(tmp_path)
    section = (ROOT / "docs/own_parts.md").read_text().split("\n## Data\n")[1].split("\n## ")[0]
    lines = re.findall(r"^dataset: .*", section, re.MULTILINE)
    assert len(lines) > 8
    rest = "\nmodel: mlp\nlosses: ['optax.losses:huber_loss']\nseeds: 1\n"
    for number, line in enumerate(lines):
        (tmp_path / f"{number}.yaml").write_text(line + rest)
        (run,) = config.expand(config.load(tmp_path / f"{number}.yaml", ()))
        assert build_dataset(run).task in line


def test_the_examples_of_the_page_of_tasks_are_valid(tmp_path):
    (text,) = blocks(ROOT / "docs/tasks.md", "yaml")
    (tmp_path / "a.yaml").write_text(text)
    (run,) = config.expand(config.load(tmp_path / "a.yaml", ["seeds=1"]))
    assert ProgramCache().dataset(run).outputs == 3
    (code,) = blocks(ROOT / "docs/tasks.md", "python")
    (tmp_path / "mine.py").write_text(code)
    text = "dataset: 'mine.py:searches'\nmodel: linear\nlosses: [ranknet]\nseeds: 1\n"
    (tmp_path / "b.yaml").write_text(text)
    (run,) = config.expand(config.load(tmp_path / "b.yaml", ()))
    data = ProgramCache().dataset(run)
    groups = [set(split.fields["groups"]) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 60


def test_a_run_is_recomputed_without_jax_and_without_this_program(folder):
    (run,) = (folder / "first" / "quickstart" / "runs").iterdir()
    code = (
        "import runpy, sys; runpy.run_path('recompute.py', run_name='__main__'); "
        "sys.exit(bool({'jax', 'landscape'} & {*sys.modules}))"
    )
    words = [sys.executable, "-c", code, str(run), "0"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("agrees with the stored") == 9


def test_pages_show_the_tables_and_pictures_that_are_generated_from_results():
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    text = "".join(page.read_text() for page in PAGES)
    for name, columns in generate["COLUMNS"].items():
        assert f"<!-- results: {name} -->\n| {' | '.join(columns)} |\n" in text
    for name in generate["PICTURES"]:
        assert f"pictures/{name}.png)" in text


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


_RUN_CELLS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from helpers.notebook_cell import run_cell
names = None
for cell in json.load(open("cells.json")):
    names = run_cell(cell, names)
sweep = names["sweep"]
public = [name for name in vars(type(sweep)) if not name.startswith("_")]
json.dump([sweep.comparison["loss"].tolist(), public], open("results.json", "w"))
"""


@pytest.mark.slow
def test_the_cells_of_the_page_on_python_run_in_order(tmp_path):
    """In a process of its own, as a notebook's: the cells load libraries and define classes."""
    page = ROOT / "docs/python.md"
    few = "audit=True, slices={'lines': {'directions': 2, 'points': 3}, 'planes': None},"
    cells = [
        cell.replace("steps=60", "steps=4").replace("seeds=2", "seeds=1")
        for cell in blocks(page, "python")
    ]
    cells = [cell.replace("audit=True,", few) for cell in cells]
    (tmp_path / "cells.json").write_text(json.dumps(cells))
    command = [sys.executable, "-c", _RUN_CELLS, str(ROOT / "tests")]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=300)
    losses, public = json.loads((tmp_path / "results.json").read_text())
    assert losses == ["clipped", "clipped early", "focal"]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"clipping", "plans"}
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
    assert [name for name in public if not re.search(rf"`{name}[`(]", page.read_text())] == []
