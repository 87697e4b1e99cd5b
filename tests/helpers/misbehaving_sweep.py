"""A small sweep whose loss can misbehave, and its results."""

import subprocess
import sys

from landscape import config
from landscape.errors import UserError
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.executors.selection import select_executor
from landscape.sweep.run_states import run_states
from landscape.sweep.session import events, open_session

RESULT_FILES = (
    "trace.parquet",
    "slices.npz",
    "splits.npz",
    "params.safetensors",
    "summary.json",
    "config.yaml",
)
CONFIG = """
dataset: digits
model: {name: mlp, widths: [128]}
losses: [{name: "losses.py:wicked", label: wicked}, brier]
seeds: 2
steps: 20
batch_size: 512
record_every: 10
slices: {lines: {directions: 1, points: 3}, planes: null}
execution: {retries: 1}
"""
# A loss that, when traced, performs the mischief named in a file next to it, once per file.
LOSSES = """
import ctypes, itertools, os, sys, time
from pathlib import Path
import optax

def wicked(predictions, targets):
    for flag in sorted(Path(__file__).parent.glob("mischief-*")):
        try:
            what = flag.read_text()
            flag.unlink()
        except FileNotFoundError:
            continue
        mischief(what)
        break
    return optax.softmax_cross_entropy(predictions, targets)

def mischief(what):
    if what == "segfault":
        ctypes.string_at(0)
    elif what == "loop":
        while True:
            pass
    elif what == "hang":  # from when the runs begin
        while (Path(__file__).parent / "out" / "sweep" / "experiment.yaml").exists():
            time.sleep(0.1)
    elif what == "allocate":
        kept = []
        while True:
            kept.append(b"x" * 2**26)
    elif what == "hold":  # in one call of C code, in which no thread gets a turn
        list(itertools.islice(itertools.count(10**9), 10**9))
    elif what == "print":
        print("mischief 0 begins")
        for number in range(1_000):
            print("mischief", number, "x" * 9_000)
        os.write(2, b"the end\\n")
    elif what == "fork":
        os.fork()
    elif what == "leave":
        os._exit(0)
    elif what == "exit":
        sys.exit("I leave")
    elif what == "kill":
        os.kill(os.getpid(), 9)
    elif what == "spawn":
        import subprocess
        subprocess.Popen(["sleep", "1000"])
        ctypes.string_at(0)
"""


def write_config(folder, text=CONFIG):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "losses.py").write_text(LOSSES)
    (folder / "sweep.yaml").write_text(text)
    return folder / "sweep.yaml"


def plan_mischief(folder, what, number):
    """Sets what the loss does when it is traced for the n-th time."""
    (folder / f"mischief-{number:02}").write_text(what)


def run_sweep(path, *overrides, jobs=None, executor=None, out=None, **options):
    """Performs a sweep; returns all events and the folder of the results."""
    experiment = config.load(path, overrides)
    spec = select_executor(experiment, executor, jobs, None)
    with open_session(experiment, out or path.parent / "out", **options) as session:
        return [*events(session, spec)], session.directory


def result_bytes(directory):
    """Returns the bytes of every result by run and file."""
    return {
        (folder.name, name): (folder / name).read_bytes()
        for folder in sorted((directory / "runs").iterdir())
        for name in RESULT_FILES
        if (folder / name).exists()
    }


def assert_same_results(results, expected):
    """Asserts that results are equal byte for byte, except for configs, which name their folder."""
    assert results.keys() == expected.keys()
    compared = [key for key in results if key[1] != "config.yaml"]
    different = [key for key in compared if results[key] != expected[key]]
    assert different == [], different


def statuses(events):
    return [event.status for event in events if isinstance(event, Ended)]


def start_python(path, *overrides, env=None, **options):
    """Starts a process that performs a sweep by `landscape.run`, which writes no report."""
    code = (
        "from landscape import load, run\n"
        f"run(load({path.name!r}, *{overrides!r}), 'out', tell=len, **{options!r})"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=path.parent, env=env, **pipes)


def run_command(path, *words):
    return [sys.executable, "-m", "landscape.cli", "run", path.name, "--out", "out", *words]


def start_process(path, *words, **options):
    return subprocess.Popen(
        run_command(path, *words),
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def states_while_running(directory):
    """Returns the states of a sweep that is running; empty before it has written its plan."""
    try:
        return run_states(directory, True)
    except UserError:
        return {}
