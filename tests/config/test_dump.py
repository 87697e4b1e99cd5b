"""Experiments and runs are dumped in full, loaded as equal values and pickled."""

import itertools
import json
import pickle
import re

import pytest
from helpers.configs import BASE, load, own_parts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from landscape import config
from landscape.config import yaml_entries
from landscape.config.limits import LARGEST_FLOAT, LARGEST_INTEGER, SMALLEST_FLOAT
from landscape.errors import UserError


def test_a_run_is_loaded_without_its_parts(tmp_path):
    run = config.expand(load(tmp_path, own_parts(tmp_path), "steps=5,6"))[1]
    (tmp_path / "own.py").unlink()
    assert config.run_from(config.dump(run)) == run
    assert run.swept == {"steps": 6}
    assert run.label == "mine, steps=6, seed 0"


def test_a_damaged_run_is_a_users_error():
    with pytest.raises(UserError, match="missing"):
        config.run_from("seed: 0\n")
    with pytest.raises(UserError, match="YAML"):
        config.run_from("{")


def test_experiments_and_runs_are_frozen_and_can_be_pickled(tmp_path):
    experiment = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        experiment.steps = 3
    assert pickle.loads(pickle.dumps(experiment)) == experiment


_positive = st.floats(min_value=SMALLEST_FLOAT, max_value=LARGEST_FLOAT)
_numbers = st.just(0.0) | _positive | _positive.map(float.__neg__)
_whole = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
_texts = st.text(max_size=8) | st.sampled_from(
    ["no", "null", "1e-3", "1_0", "~", "<<", "a: b", "# x", " x ", "x\n\ny", "\x85", "\u2028", "é"]
)
_values = st.recursive(
    st.none() | st.booleans() | _whole | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
_options = st.dictionaries(_texts.map("option_".__add__), _values, max_size=3)
_parts = st.sampled_from(["pkg.a:one", "pkg.b:two", "c:three"])
_odd = st.integers(1, 150).map(lambda n: 2 * n + 1)
_radius = _positive | st.just("auto")
_lines = st.builds(config.Lines, directions=st.integers(1, 9), points=_odd, radius=_radius)
_planes = st.builds(
    config.Planes, draws=st.integers(1, 9), points=st.tuples(_odd, _odd), radius=_radius
)
_curvature = st.builds(
    config.CurvatureSettings,
    eigenvalues=st.integers(1, 9),
    at=st.permutations(["trained", "initial"]).map(tuple),
)
_slices = st.builds(
    config.SliceSettings,
    at=st.permutations(["trained", "initial"]).map(tuple),
    direction=st.builds(config.DirectionPart, name=_parts, options=_options),
    lines=st.none() | _lines.map(lambda one: (one,)),
    planes=st.none() | _planes.map(lambda one: (one,)),
    gradients=st.booleans(),
)
_share = st.floats(0, 1)
_datasets = st.builds(
    config.DatasetPart,
    name=_parts,
    options=_options,
    label_noise=_share | st.just(((0.75, 0.25), (0.0, 1.0))),
    imbalance=st.none() | st.floats(1e-6, 1),
    train_size=st.none() | st.integers(1, 10**6) | st.floats(0, 1, exclude_min=True),
)
_optimizers = st.builds(
    config.OptimizerPart,
    name=_parts,
    options=_options,
    schedule=st.none() | st.builds(config.SchedulePart, name=_parts, options=_options),
    clip_norm=st.none() | _positive,
)
_losses = st.lists(
    st.builds(
        config.LossPart,
        name=_parts,
        options=_options,
        label=st.text(min_size=1, max_size=12).filter(lambda s: s.strip() and s.isprintable()),
    ),
    min_size=1,
    max_size=3,
    unique_by=(lambda loss: loss.label, lambda loss: (loss.name, json.dumps(loss.options))),
).map(tuple)
_experiments = st.builds(
    config.Experiment,
    title=st.none() | st.text(max_size=20),
    dataset=_datasets,
    model=st.builds(
        config.ModelPart, name=_parts, options=_options, initialization=st.just(1.0) | _positive
    ),
    optimizer=_optimizers,
    losses=_losses,
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True).map(tuple),
    steps=st.integers(1, 10**7),
    evaluation=st.builds(config.EvaluationSettings, size=st.none() | st.integers(1, 10**6)),
    gradients=st.builds(config.GradientSettings, absolute=_positive, exploding=_positive),
    metrics=st.none()
    | st.builds(config.MetricPart, name=_parts, options=_options).map(lambda m: (m,)),
    target=st.none() | _numbers,
    targets=st.sampled_from(["auto", "onehot", "labels"]),
    slices=st.none() | _slices,
    checkpoints=st.integers(0, 20),
    curvature=st.none() | _curvature,
    across=st.none() | st.builds(config.AcrossSettings, losses=st.booleans()),
    audit=st.booleans(),
    sweep=st.just({}) | st.just({"steps": (1, 2), "model.depth": (None, "1e-3", [2])}),
)
_many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@given(_experiments)
@_many
def test_a_dumped_experiment_loads_as_an_equal_value(folder, experiment):
    experiment = experiment.model_copy(update={"folder": folder})
    assert load(folder, config.dump(experiment)) == experiment


@given(_experiments)
@_many
def test_the_number_of_runs_is_the_product(folder, experiment):
    experiment = experiment.model_copy(update={"folder": folder})
    points = 6 if experiment.sweep else 1
    runs = config.expand(experiment)
    assert len(runs) == len(experiment.losses) * len(experiment.seeds) * points
    assert len({run.id for run in runs}) == len(runs)
    for run in runs[:3]:
        assert config.run_from(config.dump(run)) == run


def test_a_loaded_experiment_is_dumped_in_full_and_loads_again(tmp_path):
    text = BASE + "optimizer: {learning_rate: 0.1, schedule: cosine}\nsweep: {steps: [1, 2]}\n"
    experiment = load(tmp_path, text)
    keys = re.findall(r"^(\w+):", config.dump(experiment), re.MULTILINE)
    assert keys == list(config.Experiment.model_fields)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = load(elsewhere, config.dump(experiment))
    assert again == experiment
    assert [run.id for run in config.expand(again)] == [r.id for r in config.expand(experiment)]


@given(_experiments)
@_many
def test_a_dump_is_read_entry_by_entry_with_the_values_that_yaml_gives_it(experiment):
    text = config.dump(experiment)
    values = yaml_entries.read(text)
    assert values == experiment.model_dump(mode="json")
    assert values == YAML(typ="safe", pure=True).load(text)


def test_text_of_indicators_is_read_as_it_was_written():
    pairs = itertools.product("?:-,[]{}#&*!|>'\"%@`\\ \n\t~=0a.<", repeat=2)
    triples = itertools.product("?:-,#a0 '~", repeat=3)
    texts = ["".join(characters) for characters in itertools.chain(pairs, triples)]
    document = {
        "items": [texts],
        "values": [{"keys": {f"k{number}": text for number, text in enumerate(texts)}}],
        "keys": [dict.fromkeys(texts, 1)],
        "lines": [*texts, [[]]],
    }
    assert YAML(typ="safe", pure=True).load(yaml_entries.write(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\n",
        "a: 1\na: 1\n",
        "a: 1",
        "a: 1 # a comment\n",
        "a:  1\n",
        "a: 01\n",
        "a: x-y \n",
        "a: 'x-y'\n",
        "a: &b 1\nc: *b\n",
        "a: [1,2]\n",
        "{a: 1}\n",
        "- a-b\n",
        "a: 1\n---\nb: 2\n",
        "a: {\nb: 1\n",
        "a: 1\nb\n",
        "%YAML 1.1\n---\na: yes\n",
    ],
)
def test_yaml_that_was_not_dumped_is_left_to_the_parser(text):
    assert yaml_entries.read("b: 1\n" + yaml_entries.write({"c": ["x", {}]})) is not None
    assert yaml_entries.read(text) is None


def test_an_edited_dump_is_read_as_edited_and_its_mistakes_have_a_place(tmp_path):
    run = config.expand(load(tmp_path))[0]
    text = config.dump(run)
    assert config.run_from(text.replace("steps: 600", "steps: 6  # fewer")).steps == 6
    with pytest.raises(UserError, match=r"config.yaml:\d+:8.*\n.*steps: many"):
        config.run_from(text.replace("steps: 600", "steps: many"))


@pytest.mark.parametrize("escaped", ["$\\frac{1}{2}$", "a\tb", 'a"b', "a\u2028b", "\x1b[31m"])
def test_a_long_text_is_dumped_unchanged_wherever_its_escapes_are(escaped):
    reader = YAML(typ="safe", pure=True)
    for length in range(60, 110):
        text = "a" * length + f" {escaped} b: #c"
        dumped = yaml_entries.write({"swept": {"d": text}})
        assert reader.load(dumped) == {"swept": {"d": text}}


@pytest.mark.parametrize("key", ["value", "loss", "metric", "name", "seeds", "=1"])
def test_a_stored_run_cannot_sweep_what_is_no_setting(tmp_path, key):
    dumped = config.dump(config.expand(load(tmp_path, own_parts(tmp_path), "steps=5,6"))[1])
    changed = dumped.replace("{steps: 6}", json.dumps({key: 6}))
    assert changed != dumped
    with pytest.raises(UserError, match="which is not a setting that can be swept"):
        config.run_from(changed)
