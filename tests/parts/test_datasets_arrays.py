"""Arrays of a user's file: values that are read, and the message for each mistake."""

import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts.datasets.arrays import npz


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
        ({"inputs": IMAGES[..., None], "targets": np.ones(8)}, "binary", ["4, 1)", "channels"]),
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
