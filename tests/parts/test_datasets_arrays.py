"""Arrays of a user's file: values that are read, and the message for each mistake."""

import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts.datasets import Dataset, Split, for_task
from landscape.parts.datasets.arrays import npz
from landscape.parts.tasks import named


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "arrays.npz"
        np.savez(path, **arrays)
        return path

    return save


def failure(path, **options):
    with pytest.raises(UserError) as caught:
        npz(0, path=path, **options)
    assert caught.value.place is not None
    assert caught.value.place.file == str(path)
    return str(caught.value)


def joined(data, name):
    return np.concatenate([getattr(split, name) for split in data.splits.values()])


IMAGES = np.random.default_rng(0).normal(size=(8, 2, 3, 4))


def test_an_npz_file_of_a_table_for_regression(save):
    inputs = np.arange(12.0).reshape(6, 2)
    path = save(x=inputs, y=inputs @ [[1, 2, 3], [0, 1, 0]])
    data = npz(0, path=path, task="regression", inputs="x", targets="y")
    assert data.train.targets.shape == (3, 3)
    assert data.outputs == 3
    single = npz(0, path=save(inputs=inputs, targets=inputs[:, :1]), task="regression")
    assert single.train.targets.shape == (3,)
    assert single.outputs == 1


@pytest.mark.parametrize("labels", [["cat", "dog"] * 4, [7, 9] * 4, [False, True] * 4])
def test_an_npz_file_of_images_and_labels_of_any_kind(save, labels):
    path = save(inputs=IMAGES, targets=np.array(labels))
    for task in ("binary", "multiclass"):
        if labels[0] is False and task == "multiclass":
            names = ("0", "1")
        else:
            names = tuple(str(int(v)) if isinstance(v, bool) else str(v) for v in labels[:2])
        data = npz(0, path=path, task=task)
        assert data.classes == names
        assert data.train.inputs.shape == (4, 2, 3, 4)
        assert data.outputs == (1 if task == "binary" else 2)
        assert sum(data.train.targets) == 2
    np.testing.assert_allclose(data.train.inputs.mean(), 0, atol=1e-6)


def test_an_npz_file_of_images_and_masks(save):
    masks = IMAGES[:, 0] > 0
    data = npz(0, path=save(inputs=IMAGES, targets=masks), task="segmentation")
    assert data.train.targets.shape == (5, 3, 4)
    assert data.train.targets.dtype == np.float32
    found = joined(data, "targets")
    assert sorted(mask.sum() for mask in found) == sorted(mask.sum() for mask in masks)


def with_value(array, index, value):
    array = np.array(array, dtype=np.float64)
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "task", "words"),
    [
        ({"input": IMAGES, "targets": np.ones(8)}, "binary", ["no array `inputs`", "`input`"]),
        ({"inputs": IMAGES}, "binary", ["no array `targets`"]),
        ({"inputs": IMAGES, "targets": np.ones(7)}, "binary", ["(7,)", "(8,)"]),
        ({"inputs": IMAGES, "targets": np.float64(1)}, "binary", ["()", "(8,)"]),
        ({"inputs": IMAGES[:, 0], "targets": np.ones((8, 3, 4))}, "segmentation",
         ["(8, 3, 4)", "channels"]),
        ({"inputs": np.ones(8), "targets": np.ones(8)}, "regression", ["(8,)", "(n, 1)"]),
        ({"inputs": IMAGES[:0], "targets": np.ones(0)}, "binary", ["(0, 2, 3, 4)", "size 0"]),
        ({"inputs": IMAGES, "targets": np.eye(8) / 2}, "multiclass", ["[0, 0]", "0.5", "sum is 1"]),
        ({"inputs": np.ones((8, 2)), "targets": np.ones((8, 2))}, "segmentation", ["images"]),
        ({"inputs": IMAGES, "targets": np.ones((8, 4, 3))}, "segmentation", ["(8, 3, 4)"]),
        ({"inputs": with_value(IMAGES, (3, 1, 0, 2), np.nan), "targets": np.arange(8) % 2},
         "binary", ["`inputs` at [3, 1, 0, 2]", "nan"]),
        ({"inputs": IMAGES, "targets": with_value(np.arange(8), 5, np.inf)},
         "regression", ["`targets` at [5]", "inf"]),
        ({"inputs": IMAGES, "targets": with_value(IMAGES[:, 0] > 0, (7, 2, 1), 255)},
         "segmentation", ["`targets` at [7, 2, 1]", "255", "0 and 1"]),
        ({"inputs": IMAGES, "targets": np.arange(8) - 1}, "multiclass", ["[0]", "-1"]),
        ({"inputs": IMAGES, "targets": np.arange(8) / 2}, "multiclass", ["[1]", "0.5"]),
        ({"inputs": IMAGES, "targets": np.ones(8)}, "multiclass", ["has one class (1)"]),
        ({"inputs": IMAGES, "targets": np.ones(8)}, "regression", ["same value"]),
        ({"inputs": IMAGES.astype(complex), "targets": np.ones(8)}, "regression", ["complex128"]),
        ({"inputs": np.full((8, 2), "q"), "targets": np.arange(8)}, "regression",
         ["'q'", "[0, 0]"]),
        ({"inputs": IMAGES, "targets": np.array([{}] * 8)}, "binary", ["object arrays"]),
    ],
)  # fmt: skip
def test_a_bad_npz_is_reported_with_its_position(save, arrays, task, words):
    message = failure(save(**arrays), task=task)
    for word in words:
        assert word in message


def test_an_npy_file_is_not_an_npz_file(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, IMAGES)
    assert "npy file" in failure(path, task="binary")


def in_order(data, name):
    """An array of all splits in the order of the file."""
    rows = np.concatenate([split.rows for split in data.splits.values()])
    return joined(data, name)[np.argsort(rows)]


def test_channels_last_images_are_those_of_channels_first(save):
    images = np.random.default_rng(0).normal(size=(12, 3, 6, 8))
    labels = np.arange(12) % 2
    first = npz(0, path=save(inputs=images, targets=labels), task="binary")
    path = save(inputs=np.moveaxis(images, 1, 3), targets=labels)
    last = npz(0, path=path, task="binary", layout="channels last")
    np.testing.assert_array_equal(first.train.inputs, last.train.inputs)
    message = failure(path, task="binary")
    assert "(12, 6, 8, 3), whose axis of 3 looks like channels last" in message
    assert "layout: channels last" in message


def test_series_are_standardized_per_channel(save):
    series = np.random.default_rng(0).normal(size=(20, 7, 2)) * [1, 50] + [0, 9]
    data = npz(0, path=save(inputs=series, targets=np.arange(20) % 2), task="binary")
    train = series[data.train.rows]
    expected = (train - train.mean((0, 1))) / train.std((0, 1))
    np.testing.assert_allclose(data.train.inputs, expected, rtol=1e-4, atol=1e-6)


def test_tokens_are_integers_with_a_vocabulary(save):
    tokens = np.random.default_rng(0).integers(0, 11, (20, 5))
    tokens[0, 0] = 10
    data = npz(0, path=save(inputs=tokens, targets=np.roll(tokens, 1, 1)), task="sequence")
    assert data.vocabulary == 11
    for name, expected in (("inputs", tokens), ("targets", np.roll(tokens, 1, 1))):
        assert getattr(data.train, name).dtype == np.int32
        np.testing.assert_array_equal(in_order(data, name), expected)
    labeled = npz(0, path=save(inputs=tokens, targets=tokens[:, 0] % 2), task="binary", tokens=True)
    np.testing.assert_array_equal(in_order(labeled, "inputs"), tokens)
    path = save(inputs=tokens - 0.5, targets=tokens[:, 0] % 2)
    assert "expected a token" in failure(path, task="binary", tokens=True)


def test_a_label_that_does_not_count_is_0_in_the_mask(save):
    masks = np.random.default_rng(0).integers(0, 3, (9, 3, 4))
    ignored = np.random.default_rng(1).random(masks.shape) < 0.2
    path = save(inputs=np.zeros((9, 1, 3, 4)), targets=np.where(ignored, 255, masks))
    data = npz(0, path=path, task="segmentation", classes=3, ignore=255)
    assert data.outputs == 3
    assert data.train.targets.dtype == np.int32
    np.testing.assert_array_equal(in_order(data, "targets"), np.where(ignored, 0, masks))
    rows = np.concatenate([split.rows for split in data.splits.values()])
    mask = np.concatenate([split.fields["mask"] for split in data.splits.values()])
    np.testing.assert_array_equal(mask[np.argsort(rows)], ~ignored)
    containing = [
        sum((m[~i] == k).any() for m, i in zip(masks, ignored, strict=True)) for k in range(3)
    ]
    totals = [sum(c[str(k)] for c in data.counts.values()) for k in range(3)]
    assert totals == containing
    message = failure(path, task="segmentation", classes=3)
    assert "has the label 255, but there are 3 classes" in message
    assert "ignore: 255" in message
    assert "has the label 2, but" in failure(path, task="segmentation", classes=2, ignore=255)


def test_a_mask_of_two_values_may_have_a_label_that_does_not_count(save):
    masks = np.array([[[0, 1], [2, 1]]] * 8)
    path = save(inputs=np.zeros((8, 1, 2, 2)), targets=masks)
    data = npz(0, path=path, task="segmentation", ignore=2)
    assert data.outputs == 1
    np.testing.assert_array_equal(data.train.targets[0], [[0, 1], [0, 1]])
    np.testing.assert_array_equal(data.train.fields["mask"][0], [[1, 1], [0, 1]])


def test_shares_of_classes_and_one_hot_labels(save):
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    data = npz(0, path=save(inputs=np.ones((30, 2)), targets=shares), task="multiclass")
    assert data.outputs == 3
    np.testing.assert_allclose(in_order(data, "targets"), shares, rtol=1e-6)
    labels = np.arange(30) % 3
    path = save(inputs=np.ones((30, 2)), targets=np.eye(3)[labels])
    onehot = npz(0, path=path, task="multiclass", classes=["a", "b", "c"])
    np.testing.assert_array_equal(in_order(onehot, "targets"), labels)
    assert onehot.train.targets.dtype == np.int32
    assert onehot.columns[1].encoding == "one-hot, read as labels"


def test_several_labels_boxes_and_fields_of_any_name(save):
    random = np.random.default_rng(0)
    tags = random.integers(0, 2, (20, 4))
    path = save(inputs=random.normal(size=(20, 3)), targets=tags, trust=np.arange(20.0))
    data = npz(0, path=path, task="multilabel", fields={"confidence": "trust"})
    assert data.outputs == 4
    roles = {column.name: column.role for column in data.columns}
    assert roles["trust"] == "field `confidence`"
    unused = npz(0, path=path, task="multilabel")
    assert [c.name for c in unused.columns if c.role == "ignored"] == ["trust"]
    np.testing.assert_array_equal(in_order(data, "targets"), tags)
    totals = [sum(c[str(k)] for c in data.counts.values()) for k in range(4)]
    assert totals == tags.sum(axis=0).tolist()
    np.testing.assert_array_equal(data.test.fields["confidence"], data.test.rows)
    boxes = random.random((20, 4))
    boxes[:, 2:] = 0.25  # center and size of objects of one size
    images = random.normal(size=(20, 1, 5, 5))
    data = npz(0, path=save(inputs=images, targets=boxes), task="boxes")
    np.testing.assert_allclose(in_order(data, "targets"), boxes, rtol=1e-6)
    path = save(inputs=images, targets=boxes[:, :3])
    assert "(20, 3); expected (20, 4) for boxes" in failure(path, task="boxes")


def test_a_custom_task_takes_arrays_of_any_shape(save):
    pairs = np.random.default_rng(0).normal(size=(20, 2, 3, 4, 5))
    data = npz(0, path=save(inputs=pairs, targets=np.zeros((20, 2, 2))), task="custom")
    assert data.train.inputs.shape[1:] == (2, 3, 4, 5)
    assert data.train.targets.shape[1:] == (2, 2)


def test_every_label_of_a_custom_dataset_needs_a_name():
    split = Split(np.ones((9, 2), np.float32), np.arange(9) % 3)
    data = Dataset(split, split, "multiclass", 3, classes=("a", "b"))
    with pytest.raises(UserError, match=r"a target is 2, but the dataset names 2 classes \(a, b\)"):
        for_task(data, named("multiclass"))
