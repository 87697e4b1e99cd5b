"""Bounds of a config: what is too large is refused at its place, before anything is made of it."""

import math

import numpy as np
import pytest
from helpers.configs import BASE, load, refused

from landscape import config
from landscape.config import limits
from landscape.errors import UserError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))

# A document, the line and column of the mistake, a piece of the message.
TOO_LARGE = [
    (BOMB, 5, 10, "more than 20000 values"),
    (CHAIN, 31, 12, "more than 32 levels"),
    ("a: &a\n  b: {c: *a}\n", 2, 10, "an alias that contains itself"),
    ("a: &a [1, *a]\n", 1, 11, "an alias that contains itself"),
    ("a: " + "[" * 100, 1, 35, "more than 32 levels"),
    ("a:\n" + "".join(" " * i + "b:\n" for i in range(1, 60)), 32, 32, "more than 32 levels"),
    ("title: " + "x" * 10_001, 1, 8, "a text of 10001 characters, expected at most 10000"),
]


@pytest.mark.parametrize("read", [config.experiment_from, config.run_from, None])
@pytest.mark.parametrize(("text", "line", "column", "message"), TOO_LARGE)
def test_yaml_that_is_too_large_is_refused_where_it_exceeds_the_bound(
    read, text, line, column, message, tmp_path
):
    with pytest.raises(UserError, match=message) as caught:
        read(text) if read else load(tmp_path, text)
    error = getattr(caught.value, "errors", [caught.value])[0]
    assert (error.place.line, error.place.column) == (line, column)
    assert len(str(error)) < 1000


def test_aliases_within_the_bounds_stand_for_their_values(tmp_path):
    shared = BASE.replace("mlp", "&m {name: mlp, widths: &w [8, 8]}") + "sweep: {model: [*m]}\n"
    assert load(tmp_path, shared).sweep["model"][0]["widths"] == [8, 8]


def test_a_file_of_data_is_refused_without_reading_it_whole(tmp_path):
    error = refused(tmp_path, "# " + "x" * limits.MOST_BYTES + "\n" + BASE)
    assert "larger than 1048576 bytes" in error.message


def test_the_bounds_of_numbers_are_those_of_float32():
    for value in (limits.LARGEST_FLOAT, limits.SMALLEST_FLOAT):
        assert np.float32(value) == value
        assert limits.fits_float32(value) and limits.fits_float32(-value)
    assert np.finfo(np.float32).max == limits.LARGEST_FLOAT
    assert np.finfo(np.float32).tiny == limits.SMALLEST_FLOAT
    with np.errstate(over="ignore"):
        assert np.isinf(np.float32(limits.LARGEST_FLOAT * (1 + 1e-7)))
    assert not limits.fits_float32(limits.LARGEST_FLOAT * (1 + 1e-7))
    assert not limits.fits_float32(math.nextafter(limits.SMALLEST_FLOAT, 0))


# What is added to the config, and a piece of the message.
OUT_OF_BOUNDS = [
    (f"model: {{name: mlp, widths: [{'1,' * 20000}]}}", "more than 20000 values"),
    ("model: {name: mlp, widths: [73258319688771190751]}", "magnitude at most 2147483647"),
    ("model: {name: mlp, widths: [64, -73258319688771190751]}", "fits in 32 bits"),
    ('model: {name: "own:net", nested: {deep: [1.0e+39]}}', "float32 can represent"),
    ("optimizer: {learning_rate: 1.0e+40}", "float32 can represent"),
    ("optimizer: {learning_rate: 1.0e-40}", "from 1.2e-38 to 3.4e+38, or 0"),
    ("optimizer: {clip_norm: 1.0e+300}", "float32 can represent"),
    ("gradients: {vanishing: 1.0e-50}", "float32 can represent"),
    ("target: -1.0e+39", "float32 can represent"),
    ("steps: 2147483647", "107374183 rows of a table"),
    ("steps: 2147483646\nrecord_every: 10000", "137438953408 numbers of examples"),
    ("checkpoints: 1.0e+59", "expected a whole number"),
    ("checkpoints: 2147483647", "less than or equal to 10000"),
    ("slices: {lines: {radius: 1.0e+308}}", "at most 3.4e+38"),
    ("slices: {lines: {radius: 1.0e-308}}", "greater than 0 in float32"),
    ("slices: {lines: {points: 1000001}}", "lines of 1 x 1000001 = 1000001 points"),
    ("slices: {lines: {points: 200001}}", "lines of 8 x 200001 = 1600008 points"),
    (f"slices: {{lines: [{', '.join(['{points: 3}'] * 201)}]}}", "at most 200"),
    ("slices: {lines: {directions: 2147483647}}", "expected at most 1000000"),
    ("slices: {planes: {points: [31623, 31623]}}", "planes of 1 x 31623 x 31623 = 1000014129"),
    ("slices: {planes: {draws: 10000}}", "planes of 10000 x 31 x 31"),
    ("slices: {planes: {eigenvalues: 2147483647}}", "less than or equal to 10000"),
    ("curvature: {iterations: 2147483648}", "less than or equal to 10000"),
    ("curvature: {probes: 2147483648}", "less than or equal to 10000"),
    ("across: {points: 1000000000}", "less than or equal to 10000"),
    ("seeds: 1000000000", "a count of at most 10000"),
    (f"seeds: [{', '.join(map(str, range(10_001)))}]", "at most 10000 values"),
    ("execution: {time_limit: 1.0e+300}", "at most 3650d"),
    ("execution: {memory_limit: 1.0e+300}", "from 1MiB to 1048576TiB"),
    (f"execution: {{time_limit: {'9' * 500}s}}", "at most 3650d"),
    ("resources: {cpus: 1.0e+300}", "less than or equal to 1000000"),
    (f"title: {'x' * 501}", "text of at most 500 characters"),
    (f"losses: [{{name: brier, label: {'x' * 9999}}}]", "text of at most 80 characters"),
    ('losses: ["a\\0b.py:f"]', "is not the path of a file"),
    ('title: "\\ud800"', "half of a pair of UTF-16"),
    ('model: {name: mlp, "\\ud800": 1}', "half of a pair of UTF-16"),
    (f"folder: {'x' * 300}", "expected an existing folder"),
    (f"dataset: {{name: csv, path: {'x' * 300}, target: x, task: binary}}", "there is no file"),
    (f"slices: {{direction: {{name: 'a:b', x: {'x' * 300}}}}}", "a label of 305 characters"),
    (f"model: {'x' * 9999}", "text of at most 500 characters"),
    (f"sweep: {{steps: [{', '.join(map(str, range(1, 1002)))}]}}", "the sweep lists 1001 values"),
]


@pytest.mark.parametrize(("added", "message"), OUT_OF_BOUNDS, ids=lambda text: text[:40])
def test_a_value_out_of_bounds_is_refused_with_the_bound(added, message, tmp_path):
    key = added.partition(":")[0]
    kept = [line for line in BASE.splitlines() if not line.startswith(f"{key}:")]
    error = refused(tmp_path, "\n".join([*kept, added, ""]))
    assert message in str(error)
    assert "Traceback" not in str(error) and len(str(error)) < 2000


@pytest.mark.parametrize("direction", ["lines.direction", "direction"])
def test_lines_along_the_only_direction_of_a_point_count_once(direction, tmp_path):
    keys = [f"slices.{direction}=eigenvector", "slices.lines.points=200001", "slices.planes=null"]
    assert load(tmp_path, BASE, *keys).slices.lines[0].points == 200001


def test_the_most_sets_of_slices_can_be_read_back(tmp_path):
    """The stored config has every default of every set."""
    axes = "axes: [{name: random, normalization: filter}, {name: eigenvector, index: 2}]"
    lines = [f"{{label: l{n}, direction: trajectory}}" for n in range(limits.MOST_SETS)]
    planes = [f"{{label: p{n}, points: [3, 3], {axes}}}" for n in range(limits.MOST_SETS)]
    slices = f"slices: {{lines: [{', '.join(lines)}], planes: [{', '.join(planes)}]}}\n"
    experiment = load(tmp_path, f"{BASE}{slices}checkpoints: 20\n")
    assert config.experiment_from(config.dump(experiment)) == experiment


def test_the_number_of_runs_is_bounded_before_they_are_made(tmp_path):
    widths = "model.widths=" + ",".join(f"[{n}]" for n in range(1, 51))
    experiment = load(tmp_path, BASE, widths, "seeds=100", "steps=1,2,3")
    with pytest.raises(UserError, match=r"30000 runs, expected at most 20000"):
        config.expand(experiment)


def test_a_sweep_over_an_option_of_a_loss_multiplies_only_that_loss_when_runs_are_counted(tmp_path):
    losses = "losses: [brier, {name: focal, label: f}, {name: poly, label: p}]"
    text = BASE.replace("losses: [softmax_cross_entropy, brier]", losses)
    gammas = ",".join(str(n / 8) for n in range(20))
    keys = [f"losses.f.gamma={gammas}", f"losses.p.epsilon={gammas}", "seeds=500"]
    assert limits.MOST_RUNS < (1 + 20 + 20) * 500
    with pytest.raises(UserError, match="20500 runs"):
        config.expand(load(tmp_path, text, *keys))
