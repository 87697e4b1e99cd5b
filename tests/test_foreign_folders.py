"""Any bytes in any file of a results folder: commands end, report the rest, and touch nothing else.

Each mutation gets a run of its own in one experiment, since a report of many runs costs little more
than that of one.
"""

import json
import shutil
from random import Random

import pytest
from helpers import foreign_folders
from helpers.bounded_process import BoundedCommands
from helpers.command_line import invoke
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("unrendered_figures")

CONFIG = """
dataset: moons
model: {name: mlp, widths: [4]}
losses: [sigmoid_cross_entropy, brier]
seeds: 1
steps: 6
batch_size: 64
record_every: 3
checkpoints: 2
audit: true
slices: {lines: {directions: 2, points: 5}, planes: {draws: 1, points: [3, 3]}}
curvature: {iterations: 2, probes: 2}
across: {}
"""
SECRET = "a line of a private file"


def performed(folder, *overrides):
    """Runs the experiment and returns its results, without the report."""
    (folder / "sound.yaml").write_text(CONFIG)
    done = invoke("run", "sound.yaml", *overrides, cwd=folder)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "runs" / "sound" / "report")
    return folder / "runs" / "sound"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return performed(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def sound_without_slices(tmp_path_factory):
    """For files of an experiment: most of a report's time is figures of the files of runs."""
    overrides = ("slices=null", "curvature=null", "checkpoints=0", "audit=false")
    return performed(tmp_path_factory.mktemp("sound"), *overrides)


@pytest.fixture(scope="module")
def commands():
    with BoundedCommands() as commands:
        yield commands


RUN_FILES = (
    "audit.json",
    "checkpoints.safetensors",
    "config.yaml",
    "curvature.json",
    "error.txt",
    "log.txt",
    "meta.json",
    "params.safetensors",
    "progress.json",
    "slices.npz",
    "status.json",
    "summary.json",
    "trace.parquet",
)


def random_mutation(random):
    """Returns the arguments of `mutate` for one file of a run, and whether digests are renewed."""
    return (
        random.choice(RUN_FILES),
        random.choice(["value", "value", "value", "content", "kind"]),
        random.randrange(10**6),
        random.choice(foreign_folders.VALUES),
        random.random() < 0.5,
    )


def mutate(file, how, number, value, secret):
    """Changes one file of a run in one of the ways."""
    if not file.exists():
        file.write_text("{}")
    if how == "kind":
        foreign_folders.mutate_kind(file, number, secret)
    elif how == "value" and file.suffix == ".json":
        foreign_folders.mutate_json(file, number, value)
    elif how == "value" and file.suffix == ".yaml":
        foreign_folders.mutate_yaml(file, number, value)
    else:
        foreign_folders.mutate_content(file, number)


def mutated_experiment(sound, parent, mutations):
    """Returns a copy of an experiment with one more run per mutation."""
    folder, outside = parent / "theirs", parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    shutil.copytree(sound, folder)
    sources = sorted((sound / "runs").iterdir())
    plan = json.loads((folder / "plan.json").read_text())
    for number, (name, how, index, value, sealed) in enumerate(mutations):
        source = sources[number % len(sources)]
        run = f"{source.name.split('-seed')[0]}-seed{number + 10}-{number:08x}"
        plan.append(run)
        shutil.copytree(source, folder / "runs" / run)
        config = folder / "runs" / run / "config.yaml"
        text = config.read_text().replace(source.name, run)
        config.write_text(text.replace("seed: 0\n", f"seed: {number + 10}\n"))
        foreign_folders.seal(config.parent)
        mutate(config.parent / name, how, index, value, outside / "secret.txt")
        if sealed and name != "status.json":
            foreign_folders.seal(config.parent)
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def check(commands, folder, *words):
    """Runs a command on a folder and asserts what holds for every folder."""
    outside = foreign_folders.listing(folder.parent / "outside")
    code, output = commands.run(words[0], folder.name, *words[1:], cwd=folder.parent)
    assert code in (0, 1, 2), output
    assert "Traceback" not in output, output
    assert SECRET not in output and "\x1b[2J" not in output and "\x07" not in output
    assert foreign_folders.listing(folder.parent / "outside") == outside
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, "outside"}
    return code, output


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_mutated_runs_are_skipped_and_the_others_reported(sound, commands, tmp_path_factory, seed):
    random = Random(seed)
    mutations = [random_mutation(random) for _ in range(50)]
    folder = mutated_experiment(sound, tmp_path_factory.mktemp("mutated"), mutations)
    check(commands, folder, "status")
    check(commands, folder, "status", "--json")
    code, _ = check(commands, folder, "report")
    assert code == 0
    page = (folder / "report" / "index.html").read_text()
    assert SECRET not in page and "<script>alert(1)" not in page
    check(commands, folder, "export", "--to", "tensorboard")
    shutil.rmtree(folder.parent)


EXPERIMENT_FILES = ("across.json", "contents.json", "experiment.yaml", "plan.json", "held.json")


@pytest.mark.slow
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(EXPERIMENT_FILES),
    how=st.sampled_from(["value", "content", "kind"]),
    number=st.integers(0, 10**6),
    value=st.sampled_from(foreign_folders.VALUES),
)
@pytest.mark.exhaustive  # test_mutated_runs_are_skipped mutates the files of runs
def test_mutated_files_of_an_experiment_end_no_command_in_a_traceback(
    sound_without_slices, commands, tmp_path_factory, name, how, number, value
):
    parent = tmp_path_factory.mktemp("mutated")
    folder = mutated_experiment(sound_without_slices, parent, [])
    mutate(folder / name, how, number, value, folder.parent / "outside" / "secret.txt")
    for words in (["status"], ["report"], ["export", "--to", "tensorboard"]):
        check(commands, folder, *words)
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("file", ["status.json", "summary.json"])
def test_a_changed_number_is_never_shown_without_a_warning(
    sound_without_slices, commands, tmp_path, file
):
    folder = mutated_experiment(sound_without_slices, tmp_path, [])
    changed = next((folder / "runs").glob("brier*"))
    names = {
        folder / "across.json": "across.json",
        folder / "experiment.yaml": "experiment.yaml",
        changed / file: changed.name,
    }
    for path in names:
        text = path.read_text()
        place = next(place for place, letter in enumerate(text) if letter in "12345678")
        path.write_text(text[:place] + str(int(text[place]) + 1) + text[place + 1 :])
    for words in (["report"], ["export", "--to", "tensorboard"]):
        _, output = check(commands, folder, *words)
        assert not [name for name in names.values() if name not in output.replace("\n", "")], output
