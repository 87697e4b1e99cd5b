"""One compilation serves every seed and every value of an option that is a number."""

import collections
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.in_process_runs import ended_runs
from parts.losses.loss_cases import cases_of

from landscape import catalog, config
from landscape.config import LossPart
from landscape.numerics.loss import Loss, StaticOptions, Targets
from landscape.numerics.loss_arguments import LossArguments
from landscape.run import program, traced_options
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.training_inputs import evaluation_set, training_inputs
from landscape.storage import array_files, store

CONFIG = """
dataset: breast_cancer
model: {name: mlp, widths: [4]}
optimizer: {name: adam, learning_rate: 0.02, weight_decay: 0.001, clip_norm: 1.0}
losses: [{name: focal, gamma: 2.0}]
seeds: [0]
steps: 6
record_every: 3
evaluation: {size: 40}
slices: {lines: {directions: 2, points: 5}, planes: {points: [3, 3]}}
"""


@pytest.fixture
def compiled():
    """How often each function was compiled, by its name."""
    found = collections.Counter()

    def listen(event, seconds, **more):
        if event.endswith("backend_compile_duration"):
            found[more.get("fun_name")] += 1

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


def performed(folder, *overrides, workshop=None, text=CONFIG):
    (folder / "experiment.yaml").write_text(text)
    runs = config.expand(config.load(folder / "experiment.yaml", overrides))
    workshop = workshop or ProgramCache()
    prepare(runs, workshop)
    ended = {run.id: s for run, s, _ in ended_runs(runs, folder / "out", workshop)}
    assert set(ended.values()) == {"done"}
    return runs


def test_a_sweep_compiles_each_program_once(tmp_path, compiled):
    runs = performed(
        tmp_path,
        "optimizer.learning_rate=0.01,0.03",
        "optimizer.weight_decay=0.0,0.1",
        "losses.focal.gamma=0.5,2",
    )
    assert len(runs) == 8
    loops = {name: compiled[name] for name in ("jit(advance)", "jit(trace)", "jit(call)")}
    # A line and a plane are slices of one and of two directions.
    assert loops == {"jit(advance)": 1, "jit(trace)": 1, "jit(call)": 2}


def test_more_seeds_and_values_compile_nothing(tmp_path, compiled):
    workshop = ProgramCache()
    performed(tmp_path, workshop=workshop)
    compiled.clear()
    performed(tmp_path, "optimizer.learning_rate=0.01,0.03", "seeds=[0,1]", workshop=workshop)
    assert not compiled


def test_runs_with_and_without_measurements_share_one_compiled_training(tmp_path, compiled):
    workshop = ProgramCache()
    performed(tmp_path, "slices=null", workshop=workshop)
    assert compiled["jit(advance)"] == 1
    performed(tmp_path, "seeds=[1]", workshop=workshop)
    assert compiled["jit(advance)"] == 1 and compiled["jit(call)"] == 2


def test_another_structure_is_another_program(tmp_path):
    (tmp_path / "experiment.yaml").write_text(CONFIG)
    workshop = ProgramCache()

    def key(*overrides):
        (run,) = config.expand(config.load(tmp_path / "experiment.yaml", overrides))
        return workshop.key(run)

    same = ["seeds=[5]", "losses.focal.gamma=1.5", "optimizer.clip_norm=2", "optimizer.b1=0.5"]
    for override in same:
        assert key(override) == key(), override
    for override in ("steps=7", "model.widths=[5]", "optimizer=sgd", "batch_size=32"):
        assert key(override) != key(), override
    assert key("optimizer.clip_norm=null") != key()


@pytest.mark.usefixtures("optimized_loops")
@pytest.mark.parametrize("value", ["losses.focal.gamma=0.5", "optimizer.learning_rate=0.3"])
def test_a_run_in_a_sweep_has_the_bytes_that_it_has_alone(tmp_path, value):
    alone, among = tmp_path / "alone", tmp_path / "among"
    alone.mkdir()
    among.mkdir()
    (run,) = performed(alone, value)
    same = next(
        other
        for other in performed(among, f"{value},0.7")
        if (other.loss.options, other.optimizer) == (run.loss.options, run.optimizer)
    )
    places = store.run_folder(alone / "out", run.id), store.run_folder(among / "out", same.id)
    for file in ("trace.parquet", "slices.npz", "params.safetensors"):
        one, other = ((place / file).read_bytes() for place in places)
        assert one == other, file


FAMILY = (
    CONFIG.replace("[{name: focal, gamma: 2.0}]", "LOSSES").replace("{points: [3, 3]}", "null")
    + "curvature: {eigenvalues: 1, iterations: 4}\n"
)
LOSSES = ("focal", "sigmoid_cross_entropy", "brier")


@pytest.mark.slow
@pytest.mark.usefixtures("optimized_loops")
def test_results_do_not_depend_on_the_other_losses(tmp_path, compiled):
    # Each loss has other companions in the second family, which has the reverse order, or none.
    families = [LOSSES, LOSSES[:0:-1], LOSSES[:1]]
    results = {}
    for number, names in enumerate(families):
        folder = tmp_path / str(number)
        folder.mkdir()
        compiled.clear()
        for run in performed(folder, text=FAMILY.replace("LOSSES", f"[{', '.join(names)}]")):
            place = store.run_folder(folder / "out", run.id)
            for file in ("trace.parquet", "slices.npz", "params.safetensors", "curvature.json"):
                results.setdefault((run.loss.name, file), set()).add((place / file).read_bytes())
        assert compiled["jit(advance)"] == 1
    assert len(results) == 4 * len(LOSSES)
    assert {key: len(different) for key, different in results.items()} == dict.fromkeys(results, 1)


def prepared_regression(folder, losses, *overrides):
    """The runs of an experiment in regression, and a cache in which they are prepared."""
    text = FAMILY.replace("LOSSES", losses).replace("breast_cancer", "diabetes")
    (folder / "experiment.yaml").write_text(text)
    runs, cache = config.expand(config.load(folder / "experiment.yaml", overrides)), ProgramCache()
    prepare(runs, cache)
    return runs, cache


PAIRED = """
import jax, jax.numpy as jnp

@jax.custom_jvp
def paired(predictions, targets):
    return (predictions - targets) ** 2

@paired.defjvp
def derivative_in_pairs(primals, tangents):
    error, tangent = primals[0] - primals[1], tangents[0] - tangents[1]
    return error**2, (2 * error * tangent).reshape(-1, 2).reshape(-1)

def printing(predictions, targets):
    jax.debug.print("x", ordered=False)
    return (predictions - targets) ** 2

def calling(predictions, targets):
    shape = jax.ShapeDtypeStruct((), jnp.float32)
    jax.pure_callback(lambda: jnp.float32(0), shape, vmap_method="sequential")
    return (predictions - targets) ** 2

@jax.custom_jvp
def leaving(predictions, targets):
    return (predictions - targets) ** 2

@leaving.defjvp
def derivative(primals, tangents):
    raise SystemExit(3)
"""


def test_a_loss_that_fails_on_other_examples_does_not_affect_the_others(tmp_path):
    """Its derivative fails only at the size of the evaluation set, in the program of both."""
    (tmp_path / "own.py").write_text(PAIRED)
    losses = "[huber, {name: 'own.py:paired', label: paired}]"
    runs, cache = prepared_regression(tmp_path, losses, "evaluation.size=41")
    assert all(cache.shares_program(run) for run in runs)
    ended = {run.loss.label: s for run, s, _ in ended_runs(runs, tmp_path / "out", cache)}
    assert ended == {"huber": "done", "paired": "failed"}
    logs = {
        run.loss.label: "".join(store.read_log(store.run_folder(tmp_path / "out", run.id)))
        for run in runs
    }
    assert "compiling the loss by itself" in logs["huber"] + logs["paired"]
    assert "reshape" in logs["paired"] and "own.py" in logs["paired"]


@pytest.mark.parametrize("name", ["printing", "calling", "leaving"])
def test_a_loss_with_effects_or_without_a_derivative_is_compiled_alone(tmp_path, name):
    (tmp_path / "own.py").write_text(PAIRED)
    losses = f"[huber, {{name: 'own.py:{name}', label: own}}, squared_error]"
    runs, cache = prepared_regression(tmp_path, losses)
    sizes = {run.loss.label: len(cache.program(run).loss.members) for run in runs}
    assert sizes == {"huber": 2, "own": 1, "squared_error": 2}


@pytest.mark.parametrize(
    "task", [task for task in catalog.task_names() if catalog.menu("losses", task)]
)
def test_all_losses_of_the_menu_can_be_compiled_together(task):
    """So that one of them is traced for all: what they return as members has the same types."""
    types = collections.defaultdict(set)
    for case in cases_of(task):
        name = case.name.split("/")[1]
        bound = catalog.build("losses", LossPart(name=name, label=name), folder=Path(), task=task)
        with jax.enable_x64(True):
            for dtype in (np.float32, np.float64):
                predictions, targets, fields = case.draw(dtype)
                arguments = LossArguments(fields=tuple(fields))
                loss = Loss(bound.func, StaticOptions(bound.keywords), arguments=arguments)
                batch = jnp.asarray(predictions), Targets(targets, fields)
                member = program._trace_as_member(loss, *batch)
                assert not member.effects and "callback" not in str(member), name
                types[dtype, case.shape].add(str(member.out_avals))
    assert all(len(same) == 1 for same in types.values())


FRAGILE = """
import jax, jax.numpy as jnp

@jax.custom_jvp
def rough(x):
    return x**2

@rough.defjvp
def derivative(primals, tangents):
    raise ValueError("rough has no derivative")

def fragile(predictions, targets):
    return jnp.mean(rough(predictions - targets))
"""


def test_a_loss_that_cannot_be_traced_with_the_others_is_compiled_alone(tmp_path):
    (tmp_path / "own.py").write_text(FRAGILE)
    losses = "[{name: 'own.py:fragile', label: fragile}, squared_error, huber]"
    runs, cache = prepared_regression(tmp_path, losses)
    sizes = {run.loss.label: len(cache.program(run).loss.members) for run in runs}
    assert sizes == {"fragile": 1, "squared_error": 2, "huber": 2}
    ended = {run.loss.label: s for run, s, _ in ended_runs(runs, tmp_path / "out", cache)}
    assert ended == {"fragile": "failed", "squared_error": "done", "huber": "done"}
    (failed,) = (run for run in runs if run.loss.label == "fragile")
    explanation = "".join(store.read_log(store.run_folder(tmp_path / "out", failed.id)))
    assert "rough has no derivative" in explanation and "own.py" in explanation


def test_only_optimizers_of_the_menu_receive_a_vector(tmp_path):
    (tmp_path / "own.py").write_text("import optax\n\ndef lars():\n    return optax.lars(0.1)\n")

    def held(*overrides):
        (tmp_path / "experiment.yaml").write_text(CONFIG)
        (run,) = config.expand(config.load(tmp_path / "experiment.yaml", overrides))
        cache = ProgramCache()
        program, data = cache.program(run), cache.dataset(run)
        inputs = training_inputs(
            run, program.model, program.optimizer, data, evaluation_set(run, data)
        )
        params = jax.eval_shape(
            program.shared.training.loop.begin, program.loss, inputs
        ).state.params
        return jax.tree.structure(params), jax.tree.structure(inputs.params)

    vector, tree = held()
    assert vector == jax.tree.structure(0)
    assert held("optimizer={name: 'own.py:lars'}") == (tree, tree)


def test_values_that_are_arguments_act(tmp_path):
    """With plain gradient descent the first step is -rate times the gradient, clipped."""
    runs = performed(
        tmp_path,
        "optimizer={name: sgd, momentum: 0.0, learning_rate: 0.5, clip_norm: 0.01}",
        "optimizer.learning_rate=0.25,0.5",
        "optimizer.clip_norm=0.01,0.02",
        "steps=1",
        "slices=null",
    )
    for run in runs:
        tensors = array_files.read_params(store.run_folder(tmp_path / "out", run.id))
        moved = [
            tensors[name] - tensors[name.replace("trained/", "initial/")]
            for name in tensors
            if name.startswith("trained/")
        ]
        norm = np.sqrt(sum(np.sum(m.astype(np.float64) ** 2) for m in moved))
        options = run.optimizer
        wanted = options.options["learning_rate"] * options.clip_norm
        np.testing.assert_allclose(norm, wanted, rtol=1e-3)


OWN = """
import jax.numpy as jnp

def branching(predictions, targets, *, power=2.0, scale=1.0):
    # It would be something else under tracing, and raise nothing.
    scale = scale if isinstance(scale, float) else 99.0
    if power > 1:
        return scale * jnp.abs(predictions - targets) ** power
    return scale * jnp.abs(predictions - targets)
"""


def test_options_of_user_defined_losses_are_static_in_one_program(tmp_path, compiled):
    (tmp_path / "own.py").write_text(OWN)
    text = CONFIG.replace(
        "{name: focal, gamma: 2.0}",
        "{name: 'own.py:branching', label: own, power: 2.0, scale: 1.0}",
    ).replace("breast_cancer", "diabetes")
    runs = performed(tmp_path, "losses.own.power=1.0,2.0", "losses.own.scale=1.0,3.0", text=text)
    assert compiled["jit(advance)"] == 1
    first = {
        (run.loss.options["power"], run.loss.options["scale"]): array_files.read_trace(
            store.run_folder(tmp_path / "out", run.id)
        )["risk/evaluation"][0]
        for run in runs
    }
    for power in (1.0, 2.0):
        np.testing.assert_allclose(first[power, 3.0], 3 * first[power, 1.0], rtol=1e-6)
    assert not np.isclose(first[1.0, 1.0], first[2.0, 1.0])


def test_traceable_keeps_what_can_be_traced_alone():
    def trace(values):
        def function(values):
            if "b" in values and values["b"] > 0:
                return values
            return values

        return jax.eval_shape(function, values)

    assert traced_options.traceable({"a": 1.0, "c": 2.0}, trace) == ["a", "c"]
    assert traced_options.traceable({"a": 1.0, "b": 1.0}, trace) == ["a"]


@pytest.mark.slow
def test_compiled_programs_are_kept_for_the_next_process(tmp_path):
    """Real processes: the second one finds in the user's cache folder what the first compiled."""
    (tmp_path / "experiment.yaml").write_text(CONFIG)
    program = textwrap.dedent(
        """
        import collections, sys, jax
        seen = collections.Counter()
        jax.monitoring.register_event_listener(lambda event, **more: seen.update([event]))
        from landscape import load, run
        run(load("experiment.yaml", "slices=null"), sys.argv[1])
        print(seen["/jax/compilation_cache/cache_hits"], "hits")
        print(seen["/jax/compilation_cache/cache_misses"], "misses")
        """
    )
    found = []
    for out in ("first", "second"):
        environment = os.environ | {
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        done = subprocess.run(
            [sys.executable, "-c", program, out],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        hits, misses = (int(line.split()[0]) for line in done.stdout.splitlines()[-2:])
        found.append((hits, misses))
    (hits_at_first, compiled), (hits, compiled_again) = found
    assert hits_at_first == compiled_again == 0
    # Two runs at once may each compile a program of a single operation that neither has found.
    assert 3 < hits <= compiled
    files = [
        sorted((tmp_path / out / "experiment" / "runs").glob("*/trace.parquet"))[0].read_bytes()
        for out in ("first", "second")
    ]
    assert files[0] == files[1]


@pytest.mark.usefixtures("optimized_loops")
def test_seeds_trained_together_are_those_trained_alone_to_rounding(tmp_path):
    """A diverging rate is among them: one run that freezes stops no other."""
    folders = [tmp_path / name for name in ("alone", "together")]
    found = []
    for folder, together in zip(folders, (1, 3), strict=True):
        folder.mkdir()
        (folder / "experiment.yaml").write_text(CONFIG.replace("clip_norm: 1.0", "clip_norm: null"))
        overrides = (
            "optimizer=sgd",
            "optimizer.learning_rate=0.05,1e30",
            "seeds=[0,1]",
            "slices=null",
        )
        runs = config.expand(config.load(folder / "experiment.yaml", overrides))
        workshop = ProgramCache()
        prepare(runs, workshop)
        ended = {
            run.id: status
            for run, status, _ in ended_runs(runs, folder / "out", workshop, together)
        }
        assert sorted(ended.values()) == ["diverged", "diverged", "done", "done"]
        found.append({run.id: store.run_folder(folder / "out", run.id) for run in runs})
    alone, together = found
    assert alone.keys() == together.keys()
    counts = set()
    for run_id in alone:
        one, other = (array_files.read_trace(place[run_id]) for place in found)
        assert list(one.columns) == list(other.columns) and len(one) == len(other)
        np.testing.assert_array_equal(one["step"], other["step"])
        for name in ("risk/evaluation", "accuracy", "gradient_norm/global"):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, err_msg=name)
        counts.add(json.loads((together[run_id] / "meta.json").read_text())["trained_together"])
        assert json.loads((alone[run_id] / "meta.json").read_text())["trained_together"] == 1
    # Four runs in groups of three: the last one trains alone.
    assert counts == {1, 3}


@pytest.mark.usefixtures("optimized_loops")
def test_the_number_of_points_side_by_side_changes_no_value(tmp_path):
    found = []
    for width in (1, 3):
        folder = tmp_path / str(width)
        folder.mkdir()
        (run,) = performed(folder, f"slices.side_by_side={width}")
        place = store.run_folder(folder / "out", run.id)
        assert json.loads((place / "meta.json").read_text())["side_by_side"] == width
        found.append(array_files.read_slices(place))
    one, other = found
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6, err_msg=name)
