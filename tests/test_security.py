"""A config and a folder of results may come from somebody else."""

import ast
import contextlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import invoke
from helpers.misbehaving_sweep import run_sweep, write_config

from landscape import config
from landscape.errors import StorageError, UserError
from landscape.export.trackers import export, tracked_runs
from landscape.report.assemble import build
from landscape.report.results import read
from landscape.storage import array_files, contents, experiment_folder, store
from landscape.sweep import lock

pytestmark = pytest.mark.usefixtures("unrendered_figures")

SOURCE = Path(__file__).parent.parent / "landscape"
FEW = ("losses=[brier]", "seeds=1", "steps=4", "slices=null")
# Code of the user's own is run in one place.
RUNS_CODE = {"catalog/user_code.py"}


def test_no_text_becomes_code_or_a_shell_command_and_nothing_is_unpickled():
    for path in sorted(SOURCE.rglob("*.py")):
        nodes = [*ast.walk(ast.parse(path.read_text()))]
        calls = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        where = path.relative_to(SOURCE).as_posix()
        if where not in RUNS_CODE:
            assert not calls & {"eval", "exec", "__import__"}, where
        assert not calls & {"os.system", "os.popen", "subprocess.getoutput", "yaml.load"}, where
        imports = [node for node in nodes if isinstance(node, ast.Import)]
        imported = {alias.name for node in imports for alias in node.names}
        imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not imported & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}, where
        for node in nodes:
            if isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle"):
                assert isinstance(node.value, ast.Constant) and node.value.value is False, where


ANNOTATIONS = ["{}", '"{}"', 'list["{}"]', 'Optional["{}"]', "Literal[{}]", "'\\'{}\\''"]


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_an_annotation_of_somebody_elses_is_read_and_not_evaluated(tmp_path, annotation):
    mark = tmp_path / "mark"
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    (tmp_path / "theirs.py").write_text(
        f"def loss(predictions, targets, *, option: {annotation.format(code)} = 1.0):\n    ...\n"
    )
    path = write_config(tmp_path)
    with contextlib.suppress(UserError):
        config.load(path, ["losses=[{name: 'theirs.py:loss', option: 2.0}]"])
    assert not mark.exists()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = write_config(tmp_path_factory.mktemp("own"))
    return run_sweep(path, *FEW, executor="serial")[1]


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_report_on_a_folder_of_somebody_elses_runs_nothing_of_theirs(own, tmp_path):
    directory, mark = tmp_path / "theirs", tmp_path / "mark"
    shutil.copytree(own, directory)
    (name,) = experiment_folder.read_plan(directory)
    folder = store.run_folder(directory, name)
    (tmp_path / "trap.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(
        text.replace("name: brier", f"name: {tmp_path}/trap.py:loss").replace(
            "label: brier", "label: <script>alert(1)</script>"
        )
    )
    array = np.array([Trap(mark)], dtype=object)
    np.savez(folder / "slices.npz", array, allow_pickle=True)
    store.write_run_files(folder, {}, "done")  # as whoever wants to be believed
    contents.remove(directory)
    with pytest.raises(ValueError, match="`arr_0` has the type object; expected numbers"):
        array_files.read_slices(folder)
    done = invoke("report", str(directory), cwd=tmp_path)
    assert done.returncode == 2 and "has the type object" in done.stderr
    (folder / "slices.npz").unlink()
    store.write_run_files(folder, {}, "done")
    done = invoke("report", str(directory), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (directory / "report" / "index.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "status.json" not in page
    evil = "!!python/object/apply:pathlib.Path.touch [" + str(mark) + "]"
    (folder / "config.yaml").write_text(evil)
    (directory / "experiment.yaml").write_text(evil)
    assert "Traceback" not in invoke("report", str(directory), cwd=tmp_path).stderr
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists(), "the trap works"


@pytest.mark.parametrize("name", ["../../secret", "/etc", "..", ".", "a/b", ""])
def test_a_plan_of_somebody_elses_leads_out_of_no_folder(own, tmp_path, name):
    directory = tmp_path / "theirs"
    shutil.copytree(own, directory)
    experiment_folder.write_plan(directory, [name])
    for words in (["status"], ["report"], ["export", "--to", "tensorboard"]):
        done = invoke(words[0], str(directory), *words[1:], cwd=tmp_path)
        assert done.returncode == 2 and "is not a valid run id" in done.stderr
    with pytest.raises(UserError, match="is not a valid run id"):
        [*tracked_runs(read(directory))]


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", "a\\b", ""])
def test_the_name_of_an_experiment_leads_out_of_no_folder(tmp_path, name):
    path = write_config(tmp_path)
    path.write_text(path.read_text() + f"name: {name!r}\n")
    with pytest.raises(UserError, match="name"):
        config.load(path)


def test_a_label_and_swept_text_make_no_path(tmp_path):
    path = write_config(tmp_path)
    losses = "losses=[{name: 'losses.py:wicked', label: '../../outside $(touch x) ;'}]"
    (run, *_) = config.expand(config.load(path, [losses]))
    assert "/" not in run.id and ".." not in run.id and "$" not in run.id and " " not in run.id


def test_results_are_not_written_through_a_link(own, tmp_path):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    shutil.copytree(own, directory)
    (name,) = experiment_folder.read_plan(directory)
    folder, elsewhere = store.run_folder(directory, name), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.txt").write_text("years of work")
    shutil.rmtree(folder)
    folder.symlink_to(elsewhere)
    with pytest.raises(UserError, match="is a symbolic link to"):
        run_sweep(path, *FEW, executor="serial")
    assert [p.name for p in elsewhere.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("place", ["report", "report/tables", "report/figures"])
def test_a_report_is_not_written_through_a_link(own, tmp_path, place):
    directory, site = tmp_path / "theirs", tmp_path / "site"
    shutil.copytree(own, directory)
    site.mkdir()
    (site / "comparison.csv").write_text("years of work")
    (directory / place).parent.mkdir(exist_ok=True)
    (directory / place).symlink_to(site)
    with pytest.raises(UserError, match="is a symbolic link to"):
        build(directory)
    assert [p.name for p in site.iterdir()] == ["comparison.csv"]
    assert (site / "comparison.csv").read_text() == "years of work"


def test_nothing_is_cleared_behind_a_link(own, tmp_path):
    path = write_config(tmp_path)
    directory, elsewhere = tmp_path / "out" / "sweep", tmp_path / "elsewhere"
    shutil.copytree(own, directory)
    elsewhere.mkdir()
    for name in (".theirs.part", "progress.json"):
        (elsewhere / name).write_text("{}")
    (directory / "runs" / "no-run-of-ours").symlink_to(elsewhere)
    run_sweep(path, *FEW, executor="serial")
    assert sorted(p.name for p in elsewhere.iterdir()) == [".theirs.part", "progress.json"]


def test_a_log_is_not_written_through_a_link(own, tmp_path):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    shutil.copytree(own, directory)
    (name,) = experiment_folder.read_plan(directory)
    folder, thesis = store.run_folder(directory, name), tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    (folder / "log.txt").unlink()
    (folder / "log.txt").symlink_to(thesis)
    with pytest.raises(StorageError, match=r"log\.txt"):
        store.append_log(folder, "a line")
    (folder / "params.safetensors").unlink()
    with pytest.raises(UserError, match="is a symbolic link to"):
        run_sweep(path, *FEW, executor="serial")
    assert thesis.read_text() == "years of work"


def test_fresh_deletes_nothing_that_is_not_its_own(own, tmp_path):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    directory.mkdir(parents=True)
    (directory / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="nothing was deleted"):
        run_sweep(path, *FEW, executor="serial", fresh=True)
    shutil.copytree(own, directory, dirs_exist_ok=True)
    before = [*directory.glob("runs/*/status.json")]
    stamps = [file.stat().st_mtime_ns for file in before]
    run_sweep(path, *FEW, executor="serial", fresh=True)
    assert (directory / "thesis.txt").read_text() == "years of work"
    assert [file.stat().st_mtime_ns for file in before] != stamps


def test_a_tracker_is_not_written_through_a_link(own, tmp_path):
    for tracker, name in (
        ("tensorboard", "tensorboard"),
        ("wandb", "wandb"),
        ("mlflow", "mlflow.db"),
    ):
        directory, elsewhere = tmp_path / tracker, tmp_path / f"{tracker} of theirs"
        shutil.copytree(own, directory)
        elsewhere.mkdir()
        (directory / name).symlink_to(elsewhere)
        with pytest.raises(UserError, match="is a symbolic link to"):
            export(directory, tracker)
        assert [*elsewhere.iterdir()] == []


def test_a_terminal_takes_no_orders_from_a_loss(own, tmp_path):
    directory = tmp_path / "theirs"
    shutil.copytree(own, directory)
    (name,) = experiment_folder.read_plan(directory)
    experiment_folder.write_plan(directory, [name, "other"])
    folder = store.run_folder(directory, "other")
    shutil.copytree(store.run_folder(directory, name), folder)
    store.write_failure(folder, (folder / "config.yaml").read_text(), "ValueError: \x1b[31mred\x07")
    contents.remove(directory)
    for words in (["status"], ["status", "--json"], ["report"]):
        done = invoke(words[0], str(directory), *words[1:], cwd=tmp_path)
        assert "red" in done.stdout + done.stderr or words == ["report"]
        assert not {"\x1b", "\x07"} & {*done.stdout, *done.stderr}
    for path in (directory / "report").rglob("*"):
        if path.suffix in (".csv", ".md", ".tex", ".html"):
            assert not {"\x1b", "\x07"} & {*path.read_text()}, path
    assert "red" in (directory / "report" / "tables" / "failures.md").read_text()


DEEP = ["plan.json", "experiment.yaml", "status.json", "summary.json", "config.yaml", "meta.json"]


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_without_end_is_a_damaged_file(own, tmp_path, name):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    shutil.copytree(own, directory)
    (run_id,) = experiment_folder.read_plan(directory)
    folder = store.run_folder(directory, run_id)
    place = directory / name if (directory / name).exists() else folder / name
    before = (folder / "trace.parquet").read_bytes()
    place.write_text("[" * 100_000)
    for command in ("status", "report"):
        done = invoke(command, str(directory), cwd=tmp_path)
        assert done.returncode in (0, 2)
    run_sweep(path, *FEW, executor="serial")
    assert store.read_status(folder) == "done" and store.damaged(folder) == []
    assert (folder / "trace.parquet").read_bytes() == before


def test_a_report_leaves_out_what_is_no_longer_as_it_was_written(own, tmp_path):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    run_sweep(path, "losses=[brier]", "seeds=2", "steps=4", "slices=null", executor="serial")
    first, second = (
        store.run_folder(directory, name) for name in experiment_folder.read_plan(directory)
    )
    shutil.copy(second / "trace.parquet", first / "trace.parquet")  # readable, and wrong
    for words in (["report"], ["export", "--to", "tensorboard"]):
        done = invoke(words[0], str(directory), *words[1:], cwd=tmp_path)
        assert done.returncode == 0
        assert f"omitted: {first.name}: damaged: trace.parquet" in done.stderr
    assert "1 run exported" in done.stderr
    (second / "params.safetensors").unlink()  # to save space: a report does without
    assert invoke("report", str(directory), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("name", [".lock", "held.json"])
def test_a_folder_is_not_locked_through_a_link(tmp_path, name):
    directory, thesis = tmp_path / "theirs", tmp_path / "thesis.txt"
    directory.mkdir()
    thesis.write_text("years of work")
    (directory / "held.json").write_text('{"host": "h", "pid": 1, "since": ""}')
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(thesis)
    with contextlib.suppress(StorageError), lock.hold(directory):
        pass
    assert lock.holder(directory) is None
    assert thesis.read_text() == "years of work"
