"""What the datasets of the tasks beyond classes and quantities hold."""

import numpy as np
import pytest
import scipy.stats

from landscape.errors import UserError
from landscape.parts.datasets import cars, composed, images, sequences


def together(data, name):
    """Returns an array of all splits, in the order of the rows of the source."""
    order = np.argsort(np.concatenate([split.rows for split in data.splits.values()]))
    return np.concatenate([getattr(split, name) for split in data.splits.values()])[order]


def test_the_classes_of_cars_are_those_of_their_mileage():
    from mlxtend.data import autompg_data

    _, mileage = autompg_data()
    labels = together(cars.car_mileage(0), "targets")
    for label, (low, high) in enumerate([(0, 16), (16, 20), (20, 25), (25, 31), (31, 99)]):
        np.testing.assert_array_equal(labels == label, (mileage > low) & (mileage <= high))
    assert np.bincount(labels).min() > 70
    np.testing.assert_array_equal(together(cars.car_ranking(0), "targets"), labels)


def test_a_group_of_cars_has_one_year_and_region_and_lies_in_one_split():
    data = cars.car_ranking(1)
    in_splits = [set(split.fields["groups"]) for split in data.splits.values()]
    assert sum(map(len, in_splits)) == len(set.union(*in_splits)) == 39
    for split in data.splits.values():
        groups, years = split.fields["groups"], split.inputs[:, [5, 6]]
        for group in np.unique(groups):
            assert len(np.unique(years[groups == group], axis=0)) == 1
    assert len(data.test.targets) == pytest.approx(98, abs=15)


def test_the_labels_of_a_row_of_digits_are_those_of_its_images():
    """Each third of a row is an image of scikit-learn, whose label is among those of the row."""
    raw, labels = composed.digit_images()
    label_of = {
        image.tobytes(): label for image, label in zip(raw.astype(int), labels, strict=True)
    }
    data = composed.digit_sets(0, size=60)
    inputs = data.train.inputs[:, 0].astype(float)
    # Undo the standardization: the darkest pixel of all is 0, the brightest 16.
    pixels = np.rint(16 * (inputs - inputs.min()) / np.ptp(inputs)).astype(int)
    for row, targets in zip(pixels, data.train.targets, strict=True):
        labels_of_row = {label_of[row[:, i : i + 8].tobytes()] for i in (0, 8, 16)}
        assert labels_of_row == set(np.flatnonzero(targets))


def test_a_box_is_the_smallest_around_the_strokes(monkeypatch):
    monkeypatch.setattr(composed, "_NOISE", 0.0)
    data = composed.digit_boxes(0, size=120)
    sizes = set()
    for scene, box in zip(data.train.inputs[:, 0], data.train.targets, strict=True):
        rows, columns = np.nonzero(scene > scene.min() + 0.26 * np.ptp(data.train.inputs))
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box * 16, expected, atol=1e-5)
        sizes.add((int(box[2] * 16 - box[0] * 16), int(box[3] * 16 - box[1] * 16)))
    assert len(sizes) > 8


def test_larger_digits_have_their_event_earlier():
    data = composed.digit_survival(0, censoring=0.4)
    _, labels = composed.digit_images()
    events = np.concatenate([split.fields["events"] for split in data.splits.values()])
    assert 1 - events.mean() == pytest.approx(0.4, abs=0.04)
    complete = composed.digit_survival(0, censoring=0.0)
    times = together(complete, "targets")
    for digit in range(10):
        law = ("expon", (0, 16 / 2**digit))
        assert scipy.stats.kstest(times[labels == digit], *law).pvalue > 1e-4


def test_a_character_is_followed_by_its_target():
    data = sequences.next_character(0, length=16)
    inputs, targets = together(data, "inputs"), together(data, "targets")
    np.testing.assert_array_equal(inputs.reshape(-1)[1:], targets.reshape(-1)[:-1])
    text = "".join(data.classes[token] for token in inputs.reshape(-1))
    assert "breast cancer" in text and "number of instances 000" in text
    assert np.bincount(targets.reshape(-1)).argmax() == data.classes.index(" ")


def test_a_series_without_noise_bends_only_where_its_curve_is():
    data = sequences.generated_series(0, size=300, noise=0.0)
    labels, series = together(data, "targets"), together(data, "inputs")[:, :, 0]
    assert np.bincount(labels).tolist() == [30] * 10
    slopes = np.diff(series, n=2, axis=1)  # a line has none
    assert (np.abs(slopes) > 1e-4).sum(1).mean() > 8
    assert np.abs(slopes).max(1).min() > 0.05


def test_fragments_are_a_third_class_of_the_same_scenes():
    two, three = images.digit_masks(0, size=40), images.digit_masks(0, size=40, fragments=True)
    assert three.classes == ("background", "fragment", "digit")
    assert (two.outputs, three.outputs) == (1, 3)
    for name, split in three.splits.items():
        assert split.targets.dtype == np.int32
        np.testing.assert_array_equal(split.inputs, two.splits[name].inputs)
        np.testing.assert_array_equal(split.targets == 2, two.splits[name].targets == 1)
        brightness = [split.inputs[:, 0][split.targets == k].mean() for k in range(3)]
        assert brightness[0] < brightness[1]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (composed.digit_sets, {"size": 29}),
        (composed.digit_boxes, {"size": 10.0}),
        (composed.digit_survival, {"censoring": 1.0}),
        (sequences.next_character, {"length": 3}),
        (sequences.generated_series, {"size": 59}),
        (sequences.generated_series, {"noise": -1.0}),
    ],
)
def test_options_out_of_range(make, options):
    with pytest.raises(UserError, match=next(iter(options))):
        make(0, **options)
