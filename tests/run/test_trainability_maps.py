"""Trainability maps: their cells are ordinary trainings, and a stored map is not trained again."""

import numpy as np
import pytest
from helpers.configs import load

from landscape import config
from landscape.errors import UserError
from landscape.numerics.train import run_in_pieces
from landscape.run import trainability_maps
from landscape.run.program_cache import ProgramCache
from landscape.run.trainability_maps import MapRequest, measure_maps, stored_maps, trainability_map
from landscape.run.training_inputs import evaluation_set, training_inputs
from landscape.storage.map_records import MapRecord
from landscape.storage.schema import to_plain

CONFIG = """
dataset: wine
model: {name: mlp, widths: [4]}
optimizer: {name: sgd, learning_rate: 0.5, schedule: cosine, clip_norm: 5.0}
losses: [softmax_cross_entropy, brier]
seeds: [0]
steps: 30
batch_size: 16
record_every: 7
slices: {lines: {points: 5}, planes: null}
"""
RATES, SCALES, SEEDS = (1e-3, 0.1, 1e30), (0.5, 2.0), (0, 3)


def requests(folder, *overrides, text=CONFIG, target=0.8):
    return [
        MapRequest(run, RATES, SCALES, SEEDS, 12, target)
        for run in config.expand(load(folder, text, *overrides))
    ]


@pytest.fixture(scope="module")
def cache():
    return ProgramCache()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("map")
    reached = []
    request = requests(folder)[0]
    record = trainability_map(request, cache, lambda *progress: reached.append(progress))
    return folder, record, reached


def trained_alone(folder, cache, rate, scale, seed):
    """The last accuracy in the trace of an ordinary run."""
    settings = f"optimizer.learning_rate={rate}", f"model.initialization={scale}", "steps=12"
    run = config.expand(load(folder, CONFIG, *settings, f"seeds=[{seed}]"))[0]
    program, data = cache.program(run), cache.dataset(run)
    inputs = training_inputs(run, program.model, program.optimizer, data, evaluation_set(run, data))
    trained = run_in_pieces(program.shared.training.loop, program.loss, inputs)
    return np.nan if trained.diverged else float(trained.rows["accuracy"][-1])


def test_every_cell_is_an_ordinary_training(mapped, cache):
    folder, record, _ = mapped
    values = np.asarray(record.values)
    assert values.shape == (2, 3, 2)
    alone = [
        [[trained_alone(folder, cache, rate, scale, seed) for seed in SEEDS] for rate in RATES]
        for scale in SCALES
    ]
    np.testing.assert_array_equal(values.astype(np.float32), np.float32(alone))
    assert np.isnan(values[:, 2]).all() and len(np.unique(values[:, :2])) > 4


def test_progress_counts_trainings(mapped):
    _, _, reached = mapped
    assert reached[-1] == ("softmax_cross_entropy", 12, 12)
    assert [trained for _, trained, _ in reached] == sorted({trained for _, trained, _ in reached})


@pytest.mark.parametrize(
    ("higher", "expected"), [(True, [[1, 0.5, 0]]), (False, [[0.5, 0.5, 0]])], ids=str
)
def test_a_diverged_training_never_succeeds(higher, expected):
    record = MapRecord(
        rates=(0.1, 1.0, 10.0),
        scales=(1.0,),
        seeds=(0, 1),
        steps=3,
        metric="accuracy",
        higher_is_better=higher,
        target=0.5,
        values=(((0.5, 0.6), (0.2, 0.9), (np.nan, np.nan)),),
    )
    assert record.shares().tolist() == expected


@pytest.fixture
def counted(monkeypatch):
    """The losses whose maps are trained."""
    labels = []
    measure = trainability_maps.trainability_map

    def count(request, *arguments):
        labels.append(request.run.loss.label)
        return measure(request, *arguments)

    monkeypatch.setattr(trainability_maps, "trainability_map", count)
    return labels


def test_only_missing_maps_are_trained(tmp_path, cache, counted, mapped):
    first, second = requests(tmp_path)
    assert measure_maps([first], tmp_path, cache)
    assert to_plain(stored_maps(tmp_path)) == {first.run.loss.label: to_plain(mapped[1])}
    assert measure_maps([first, second], tmp_path, cache)
    assert counted == ["softmax_cross_entropy", "brier"]
    content = (tmp_path / "maps.json").read_bytes()
    assert not measure_maps([first, second], tmp_path, cache)
    assert (tmp_path / "maps.json").read_bytes() == content
    assert not measure_maps([second._replace(target=0.1)], tmp_path, cache)
    assert [(name, stored.target) for name, stored in stored_maps(tmp_path).items()] == [
        ("brier", 0.1)
    ]
    assert len(counted) == 2
    assert measure_maps([second._replace(steps=13)], tmp_path, cache)


def test_a_damaged_file_is_no_map(tmp_path, cache):
    (tmp_path / "maps.json").write_text('{"maps": {"brier": {"rates": []}}}')
    assert stored_maps(tmp_path) == {}


def test_the_rate_of_a_user_defined_optimizer_cannot_be_mapped(tmp_path, cache):
    (tmp_path / "mine.py").write_text(
        "import optax\ndef step(learning_rate=0.1):\n    return optax.sgd(learning_rate)\n"
    )
    request, *_ = requests(tmp_path, "optimizer={name: 'mine.py:step'}")
    with pytest.raises(UserError, match=r"`learning_rate` of optimizer `mine.py:step`"):
        trainability_map(request, cache)
