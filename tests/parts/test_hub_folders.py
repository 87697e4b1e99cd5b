"""Folders of `datasets.Dataset.save_to_disk`, against the values that were saved."""

import sys

import datasets
import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts.datasets.hub import hf


@pytest.fixture(autouse=True)
def _quiet():
    datasets.disable_progress_bars()


def table(count, seed):
    random = np.random.default_rng(seed)
    features = datasets.Features(
        {
            "size": datasets.Value("float64"),
            "color": datasets.Value("string"),
            "level": datasets.ClassLabel(names=["low", "mid", "high"]),
        }
    )
    columns = {
        "size": random.normal(size=count).tolist(),
        "color": random.choice(["red", "blue"], count).tolist(),
        "level": (np.arange(count) % 3).tolist(),
    }
    return datasets.Dataset.from_dict(columns, features=features)


def test_the_splits_and_classes_of_a_folder_are_used(tmp_path):
    parts = {"train": table(30, 0), "validation": table(9, 1), "test": table(12, 2)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "hub"))
    data = hf(0, path=tmp_path / "hub", target="level", task="ordinal")
    assert data.classes == ("low", "mid", "high")
    sizes = np.array(parts["train"]["size"])
    for name, split in data.splits.items():
        order = np.argsort(split.rows)
        saved = parts[name]
        np.testing.assert_array_equal(split.targets[order], saved["level"])
        expected = (np.array(saved["size"]) - sizes.mean()) / sizes.std()
        np.testing.assert_allclose(split.inputs[order, 0], expected, rtol=1e-5)
        np.testing.assert_array_equal(split.inputs[order, 2], np.array(saved["color"]) == "red")


def test_images_and_sequences_of_a_folder(tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (12, 5, 6, 3), dtype=np.uint8)
    tokens = random.integers(0, 9, (12, 4))
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "tokens": datasets.List(datasets.Value("int32")),
            "y": datasets.Value("int64"),
        }
    )
    columns = {"image": [*pixels], "tokens": tokens.tolist(), "y": [0, 1] * 6}
    folder = tmp_path / "hub"
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder))
    data = hf(0, path=folder, inputs="image", target="y", task="binary")
    train = pixels[data.train.rows].transpose(0, 3, 1, 2).astype(float)
    np.testing.assert_allclose(
        data.train.inputs, (train - train.mean()) / train.std(), rtol=1e-4, atol=1e-5
    )
    sequences = hf(0, path=folder, inputs="tokens", target="tokens", task="sequence")
    np.testing.assert_array_equal(sequences.test.targets, tokens[sequences.test.rows])
    with pytest.raises(UserError, match=r"no column `imag`(.|\n)*did you mean `image`"):
        hf(0, path=folder, inputs="imag", target="y", task="binary")


def test_what_is_wrong_with_a_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        hf(0, path=tmp_path / "none", target="y", task="binary")
    with pytest.raises(UserError, match="expected a folder of `Dataset"):
        hf(0, path=tmp_path, target="y", task="binary")
    datasets.DatasetDict({"train": table(9, 0), "dev": table(9, 1)}).save_to_disk(
        str(tmp_path / "hub")
    )
    with pytest.raises(UserError, match="the split `dev`; expected train, validation, test"):
        hf(0, path=tmp_path / "hub", target="level", task="multiclass")
    ragged = datasets.Dataset.from_dict({"x": [[1, 2], [3]], "y": [0, 1]})
    ragged.save_to_disk(str(tmp_path / "ragged"))
    with pytest.raises(UserError, match=r"the shapes \(1,\) and \(2,\); expected one shape"):
        hf(0, path=tmp_path / "ragged", inputs="x", target="y", task="binary")


def test_without_the_package_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the package `datasets`(.|\n)*landscape\[hf\]"):
        hf(0, path=tmp_path, target="y", task="binary")
