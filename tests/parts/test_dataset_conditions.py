"""Noisy labels, rare classes and small training sets against counts and binomial bounds."""

import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts.datasets import Dataset, Split, with_conditions
from landscape.parts.datasets.cars import car_ranking
from landscape.parts.datasets.images import digit_masks
from landscape.parts.datasets.tabular import breast_cancer, diabetes, wine

COUNTS = np.array([9_000, 6_000, 3_000])


def three_classes():
    """A dataset whose inputs are the numbers of its training examples."""
    labels = np.random.default_rng(3).permutation(np.repeat([0, 1, 2], COUNTS))
    numbers = np.arange(len(labels), dtype=np.float32)[:, None]
    return wine(0)._replace(train=Split(numbers, labels.astype(np.int32)))


DATA = three_classes()


def numbers(data):
    return data.train.inputs[:, 0].astype(int)


def examples(data):
    return zip(data.train.inputs, data.train.targets, strict=True)


def assert_share(hits, probability):
    """Asserts that a share lies within 5 standard deviations of its probability."""
    deviation = np.sqrt(probability * (1 - probability) / hits.size)
    assert abs(hits.mean() - probability) <= 5 * deviation


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_symmetric_noise_changes_its_share_evenly_over_the_other_classes(noise):
    changed = with_conditions(DATA, 0, label_noise=noise).train.targets
    for label in range(3):
        mine = changed[DATA.train.targets == label]
        assert_share(mine != label, noise)
        for other in {0, 1, 2} - {label}:
            assert_share(mine == other, noise / 2)


def test_half_of_the_binary_labels_changed_is_chance():
    data = breast_cancer(0)
    noisy = [with_conditions(data, seed, label_noise=0.5).train.targets for seed in range(9)]
    targets = np.concatenate(noisy)
    assert_share(targets != np.tile(data.train.targets, 9), 0.5)
    assert targets.dtype == data.train.targets.dtype and set(targets) == {0, 1}


def test_labels_follow_the_rows_of_a_confusion_matrix():
    confusion = [[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]]
    changed = with_conditions(DATA, 1, label_noise=confusion).train.targets
    for label, row in enumerate(confusion):
        for other, probability in enumerate(row):
            assert_share(changed[DATA.train.targets == label] == other, probability)


@pytest.mark.parametrize(
    "condition", [{"label_noise": 0.3}, {"imbalance": 0.1}, {"train_size": 30}], ids=str
)
def test_only_the_training_split_changes(condition):
    data = wine(2)
    changed = with_conditions(data, 2, **condition)
    for name in set(Dataset._fields) - {"train"}:
        assert getattr(changed, name) is getattr(data, name), name
    labels = {row.tobytes(): label for row, label in examples(data)}
    same = [labels[row.tobytes()] == label for row, label in examples(changed)]
    assert all(same) == ("label_noise" not in condition)


def test_without_conditions_nothing_changes():
    assert with_conditions(DATA, 0) is DATA


def test_more_noise_changes_the_same_labels_and_others():
    few, many = (with_conditions(DATA, 0, label_noise=n).train.targets for n in (0.1, 0.3))
    assert (many != DATA.train.targets)[few != DATA.train.targets].all()
    other_seed = with_conditions(DATA, 1, label_noise=0.1).train.targets
    assert (other_seed != few).any()


@pytest.mark.parametrize("ratio", [1.0, 0.1, 0.01])
def test_classes_follow_the_long_tail(ratio):
    kept = np.bincount(with_conditions(DATA, 0, imbalance=ratio).train.targets)
    profile = [1, ratio**0.5, ratio]
    assert (kept <= COUNTS).all() and (kept == COUNTS).any()
    np.testing.assert_allclose(kept / kept[0], profile, atol=1 / kept[0])


def test_a_rarer_class_keeps_some_of_its_examples():
    some, few = (set(numbers(with_conditions(DATA, 0, imbalance=r))) for r in (0.2, 0.1))
    assert few & {*np.flatnonzero(DATA.train.targets == 2)} < some


@pytest.mark.parametrize("size", [18, 0.05, 1234, 17_999])
def test_a_smaller_training_set_has_the_same_classes(size):
    kept = with_conditions(DATA, 0, train_size=size).train.targets
    number = size if isinstance(size, int) else 900
    assert len(kept) == number
    assert (np.abs(np.bincount(kept) - number * COUNTS / COUNTS.sum()) <= 1).all()


def test_training_sets_are_nested_in_one_order():
    small, large = (numbers(with_conditions(DATA, 0, train_size=n)) for n in (100, 0.5))
    assert set(small) < set(large)
    assert (np.diff(small) > 0).all()
    everything = with_conditions(DATA, 0, train_size=1.0).train
    assert np.array_equal(everything.inputs, DATA.train.inputs)
    assert set(numbers(with_conditions(DATA, 1, train_size=100))) != set(small)


def test_an_example_has_the_same_noisy_label_in_every_training_set():
    noisy = with_conditions(DATA, 0, label_noise=0.3).train.targets
    small = with_conditions(DATA, 0, label_noise=0.3, train_size=50, imbalance=0.5)
    assert np.array_equal(small.train.targets, noisy[numbers(small)])


def test_a_regression_dataset_can_be_smaller():
    data = diabetes(0)
    assert len(with_conditions(data, 0, train_size=0.25).train.targets) == round(
        len(data.train.targets) / 4
    )


SQUARE = [[0.9, 0.1], [0.1, 0.9]]
MISTAKES = [
    (diabetes, {"label_noise": 0.1}, "`label_noise` needs class labels", "dataset.label_noise"),
    (diabetes, {"imbalance": 0.1}, "`imbalance` needs class labels", "dataset.imbalance"),
    (wine, {"label_noise": SQUARE}, "is 2 x 2, but the dataset has 3 classes", "3 rows of 3"),
    (wine, {"imbalance": 1e-3}, "leaves class `class_2` without a training example", "larger"),
    (wine, {"train_size": 500}, "`train_size` is 500, but there are", "or less"),
    (wine, {"train_size": 2}, "`train_size` 2 leaves class", "larger"),
]


@pytest.mark.parametrize(("dataset", "condition", "message", "hint"), MISTAKES)
def test_a_condition_that_does_not_fit_is_refused(dataset, condition, message, hint):
    with pytest.raises(UserError, match=message) as caught:
        with_conditions(dataset(0), 0, **condition)
    assert hint in caught.value.hint


def test_pixels_are_no_labels():
    data = digit_masks(0)
    with pytest.raises(UserError, match="the dataset is for segmentation"):
        with_conditions(data, 0, label_noise=0.1)


def test_a_smaller_ranking_has_whole_groups_nested_in_those_of_a_larger_one():
    data = car_ranking(3)
    sizes = dict(zip(*np.unique(data.train.fields["groups"], return_counts=True), strict=True))
    kept = []
    for size in (60, 0.5, len(data.train.targets)):
        groups = with_conditions(data, 3, train_size=size).train.fields["groups"]
        most = size if isinstance(size, int) else round(size * len(data.train.targets))
        assert most - max(sizes.values()) < len(groups) <= most
        counts = dict(zip(*np.unique(groups, return_counts=True), strict=True))
        assert counts == {group: sizes[group] for group in counts}
        kept.append(set(groups))
    assert kept[0] < kept[1] < kept[2] == set(sizes)
    with pytest.raises(UserError, match=r"`train_size` is 1, but a group has .* stay together"):
        with_conditions(data, 3, train_size=1)
