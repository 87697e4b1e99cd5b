"""Splits by group, splits that a file states, and the splits of user-defined datasets."""

import numpy as np
import pandas
import pytest

from landscape.errors import UserError
from landscape.parts.datasets import Dataset, Split, complete, files
from landscape.parts.datasets._named_array import NamedArray
from landscape.parts.datasets._split import Shares, split_by_group, strata
from landscape.parts.datasets.arrays import npz

SHARES = Shares(test=0.25, validation=0.2)
EXPECTED = {"train": 0.6, "validation": 0.15, "test": 0.25}


def column(values):
    return NamedArray("patient", np.asarray(values), "patients.csv")


def of_groups(sizes):
    """Returns the group of each example, for groups of these sizes."""
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_splits_and_the_shares_hold(seed):
    random = np.random.default_rng(seed)
    groups = of_groups(random.integers(1, 12, size=60))
    labels = random.integers(0, 3, size=len(groups))
    rows = split_by_group(seed, SHARES, strata(len(groups), labels), column(groups))
    assert sorted(np.concatenate(rows)) == list(range(len(groups)))
    sides = [set(groups[chosen]) for chosen in rows]
    assert sum(map(len, sides)) == 60
    for chosen, share in zip(rows, EXPECTED.values(), strict=True):
        for label in range(3):
            total, part = (labels == label).sum(), (labels[chosen] == label).sum()
            assert abs(part / total - share) < 0.06


def test_a_group_of_half_the_examples_is_for_training():
    groups = of_groups([50, *[5] * 10])
    for seed in range(10):
        rows = split_by_group(seed, SHARES, strata(100), column(groups))
        assert 0 in groups[rows.train]
        assert [len(chosen) for chosen in rows] == [60, 15, 25]


def test_three_groups_of_a_class_are_in_three_splits():
    labels = np.repeat([0, 1], 12)
    groups = of_groups([4] * 6)
    for seed in range(10):
        rows = split_by_group(seed, SHARES, strata(24, labels), column(groups))
        assert all(set(labels[chosen]) == {0, 1} for chosen in rows)


def test_another_seed_gives_other_groups_for_test():
    groups = of_groups([3] * 30)
    tests = {
        frozenset(groups[split_by_group(seed, SHARES, strata(90), column(groups)).test])
        for seed in range(5)
    }
    assert len(tests) == 5


def table(**columns):
    random = np.random.default_rng(0)
    return pandas.DataFrame({"x": random.normal(size=12), "y": ["a", "b"] * 6, **columns})


STATED = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
OPTIONS = {"target": "y", "task": "binary"}


@pytest.fixture
def load(tmp_path):
    """Reads a table as csv, parquet or npz."""

    def load(frame, kind="csv", seed=0, **options):
        path = tmp_path / f"table.{kind}"
        if kind == "npz":
            arrays = {name: values.to_numpy() for name, values in frame.items()}
            arrays = {n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()}
            np.savez(path, inputs=frame[["x"]].to_numpy(), **arrays)
            return npz(seed, path=path, task="binary", targets="y", **options)
        getattr(frame, f"to_{kind}")(path, index=False)
        return getattr(files, kind)(seed, path=path, **OPTIONS, **options)

    return load


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_stated_split_is_used_for_every_seed(load, kind, seed):
    frame = table(part=STATED)
    data = load(frame, kind, seed, split="part")
    for name, split in data.splits.items():
        assert sorted(split.rows) == [i for i, part in enumerate(STATED) if part == name]
        np.testing.assert_array_equal(split.targets, split.rows % 2)
    assert data.train.inputs.shape == (6, 1)  # the column itself is no feature


def test_a_stated_split_without_validation_takes_it_from_training(load):
    stated = ["train"] * 8 + ["test"] * 4
    first, other = (load(table(part=stated), seed=s, split="part") for s in (0, 1))
    assert sorted(first.test.rows) == sorted(other.test.rows) == [8, 9, 10, 11]
    assert len(first.validation.rows) == 2 and set(first.validation.targets) == {0, 1}
    assert set(first.train.rows) | set(first.validation.rows) == set(range(8))
    assert set(first.validation.rows) != set(other.validation.rows)


def test_validation_taken_from_training_keeps_groups_together(load):
    patients = ["p", "p", "q", "q", "r", "r", "s", "s", "t", "t", "u", "u"]
    stated = ["train"] * 8 + ["test"] * 4
    data = load(table(part=stated, patient=patients), split="part", group="patient")
    groups = [{patients[row] for row in split.rows} for split in data.splits.values()]
    assert sum(map(len, groups)) == 6 and groups[2] == {"t", "u"}


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_a_group_of_a_file_is_in_one_split(load, kind):
    patients = [3, 3, 8, 8, 5, 5, 1, 1, 0, 0, 2, 2]
    data = load(table(patient=patients), kind, group="patient")
    assert data.train.inputs.shape[1] == 1  # the column itself is no feature
    groups = [{patients[row] for row in split.rows} for split in data.splits.values()]
    assert sum(map(len, groups)) == 6


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            {"part": ["val", *STATED[1:]]},
            {"split": "part"},
            [":2", "'val'", "expected train"],
        ),
        ({"part": ["train"] * 12}, {"split": "part"}, ["`part` assigns no example to test"]),
        ({"part": ["test"] * 12}, {"split": "part"}, ["`part` assigns no example to train"]),
        (
            {"part": ["train", "test", "train", "test", "train", *["test"] * 6, "validation"]},
            {"split": "part"},
            ["class `b` has no example for training in column `part`"],
        ),
        (
            {"part": ["train", *["test"] * 2, "train", *["test"] * 8]},
            {"split": "part"},
            ["class `a` has 1 example, too few for train and validation"],
        ),
        ({"part": STATED}, {"split": "Part"}, ["no column `Part`", "`part`"]),
        (
            {"part": STATED, "patient": [*"aabbccddeefa"]},
            {"split": "part", "group": "patient"},
            [":13", "`patient` is a, a group of which examples are in train and in test"],
        ),
        ({"patient": [*"aabbccddeef", ""]}, {"group": "patient"}, [":13", "name of a group"]),
        (
            {"patient": ["p", "q"] * 6},
            {"group": "patient"},
            ["class `a` has 1 group, too few for train, validation and test"],
        ),
        (
            {"patient": [*"aabbccddeeff"]},
            {"group": "patient", "features": ["x", "patient"]},
            ["`patient` is both a feature and the group"],
        ),
        ({}, {"validation_fraction": 1.0}, ["validation_fraction"]),
    ],
)
def test_a_split_that_cannot_be_is_refused(load, columns, options, words):
    with pytest.raises(UserError) as caught:
        load(table(**columns), **options)
    for word in words:
        assert word in str(caught.value)


def test_an_array_of_splits_has_one_value_per_example(load, tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(6), targets=np.arange(6) % 2, part=np.eye(6))
    with pytest.raises(UserError, match=r"`part` has shape \(6, 6\); expected \(6,\)"):
        npz(0, path=tmp_path / "a.npz", task="binary", split="part")


def own(count=20, **changed):
    inputs = np.arange(count, dtype=np.float32)[:, None]
    labels = (np.arange(count) % 4 == 0).astype(np.float32)
    test = Split(inputs[:5] + 100, labels[:5])
    return Dataset(train=Split(inputs, labels), test=test, task="binary", outputs=1, **changed)


def test_a_user_dataset_without_validation_gets_a_stratified_fifth_of_training():
    data, other = complete(own(), 0), complete(own(), 1)
    assert len(data.train.targets) == 16 and len(data.validation.targets) == 4
    assert data.validation.targets.sum() == 1
    values = np.concatenate([data.train.inputs, data.validation.inputs])[:, 0]
    assert sorted(values) == list(range(20))
    np.testing.assert_array_equal(data.validation.rows, data.validation.inputs[:, 0])
    np.testing.assert_array_equal(data.test.rows, np.arange(20, 25))
    assert set(data.validation.rows) != set(other.validation.rows)


def test_a_user_dataset_with_validation_is_only_numbered():
    validation = Split(np.ones((3, 1), np.float32), np.ones(3, np.float32))
    data = complete(own(validation=validation), 0)
    np.testing.assert_array_equal(data.train.inputs, own().train.inputs)
    rows = [split.rows.tolist() for split in data.splits.values()]
    assert rows == [[*range(20)], [20, 21, 22], [*range(23, 28)]]


def test_a_user_dataset_with_one_example_of_a_class_is_refused():
    single = own()._replace(train=Split(np.ones((4, 1)), np.array([0.0, 0, 0, 1])))
    with pytest.raises(UserError, match=r"class `1` has 1 example, too few for train and valid"):
        complete(single, 0)
    uneven = own()._replace(test=Split(np.ones((4, 1)), np.ones(3)))
    with pytest.raises(UserError, match="the test split has 4 inputs, but 3 targets"):
        complete(uneven, 0)
