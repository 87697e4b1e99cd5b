"""User files: values that are read, and the message for each mistake."""

import numpy as np
import pandas
import pytest

from landscape.errors import UserError
from landscape.parts.datasets import files

TABLE = """\
age,height,city,score,kind
1,10,Oslo,0.5,b
2,20,Rome,1.5,a

3,30,Oslo,2.5,b
4,40,Rome,3.5,a
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="my data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "arrays.npz"
        np.savez(path, **arrays)
        return path

    return save


def failure(function, *, line=None, **options):
    with pytest.raises(UserError) as caught:
        function(0, **options)
    assert caught.value.place is not None
    assert caught.value.place.file == str(options["path"])
    assert caught.value.place.line == line
    return str(caught.value)


def together(data, column):
    return joined(data, "inputs")[:, column]


def joined(data, name):
    return np.concatenate([getattr(split, name) for split in data.splits.values()])


def test_a_csv_uses_the_numeric_columns_and_names_the_others(write):
    data = files.csv(0, path=write(TABLE), target="score", task="regression")
    assert data.train.inputs.shape == (2, 2)
    assert data.train.targets.shape == (2,)
    assert data.outputs == 1
    assert "left out: city, kind" in data.description
    raw = files.csv(
        0, path=write(TABLE), target="score", task="regression", standardize_target=False
    )
    order = joined(raw, "targets")
    assert sorted(order) == [0.5, 1.5, 2.5, 3.5]
    # height is ten times age, and both rise with the score
    np.testing.assert_allclose(together(raw, 0), together(raw, 1), rtol=1e-6)
    ages = order[:2] + 0.5
    np.testing.assert_allclose(
        raw.train.inputs[:, 0], (ages - ages.mean()) / ages.std(), rtol=1e-5, atol=1e-6
    )


def test_features_select_and_order_the_columns(write):
    path = write(TABLE + "5,50,Oslo,4.5,a\n6,60,Oslo,5.5,b\n")
    one = files.csv(0, path=path, target="kind", task="binary", features=["height", "score"])
    two = files.csv(0, path=path, target="kind", task="binary", features=["score", "height"])
    np.testing.assert_array_equal(one.train.inputs, two.train.inputs[:, ::-1])


def test_several_regression_targets_are_several_outputs(write):
    data = files.csv(0, path=write(TABLE), target=["score", "age"], task="regression")
    assert data.outputs == 2
    assert data.train.targets.shape == (2, 2)
    np.testing.assert_allclose(data.train.targets.std(axis=0), 1, rtol=1e-5)
    assert data.train.inputs.shape == (2, 1)


@pytest.mark.parametrize(
    ("labels", "task", "classes", "codes"),
    [
        ("b a b a b a", "binary", ("a", "b"), [1, 0, 1, 0, 1, 0]),
        ("-1 1 1 -1 -1 1", "binary", ("-1", "1"), [0, 1, 1, 0, 0, 1]),
        ("10 9 10 9 10 9", "binary", ("9", "10"), [1, 0, 1, 0, 1, 0]),
        ("0.5 2 2 0.5 2 0.5", "binary", ("0.5", "2"), [0, 1, 1, 0, 1, 0]),
        ("z z y y x x x y z", "multiclass", ("x", "y", "z"), [2, 2, 1, 1, 0, 0, 0, 1, 2]),
        ("3 3 1 1 10 10 10 3 1", "multiclass", ("1", "3", "10"), [1, 1, 0, 0, 2, 2, 2, 1, 0]),
        ("1 1 x x 1 x", "multiclass", ("1", "x"), [0, 0, 1, 1, 0, 1]),
    ],
)
def test_labels_become_indices_of_the_sorted_classes(write, labels, task, classes, codes):
    rows = [f"{i},{label}" for i, label in enumerate(labels.split())]
    path = write("\n".join(["x,y", *rows]))
    data = files.csv(0, path=path, target="y", task=task, test_fraction=0.5)
    assert data.classes == classes
    x = together(data, 0)
    np.testing.assert_array_equal(joined(data, "targets")[np.argsort(x)], codes)


def test_delimiter_quotes_spaces_and_byte_order_mark(write):
    text = '\ufeffx; y\r\n1; "a;b"\r\n2;c\r\n3; "a;b"\r\n4;c \r\n'
    text = text.replace('; "', ';"') + '5;"a;b"\r\n6;c'
    data = files.csv(0, path=write(text), target="y", task="binary", features=["x"], delimiter=";")
    assert data.classes == ("a;b", "c")


def test_a_column_that_is_constant_becomes_0(write):
    path = write("x,z,y\n0.1,1,a\n0.1,2,b\n0.1,3,a\n0.1,4,b\n0.1,5,a\n0.1,6,b\n")
    data = files.csv(0, path=path, target="y", task="binary")
    np.testing.assert_array_equal(together(data, 0), 0)


TWO = {"target": "y", "task": "binary"}


@pytest.mark.parametrize(
    ("text", "options", "line", "words"),
    [
        ("", TWO, None, ["empty"]),
        ("\n\n", TWO, None, ["empty"]),
        ("x,y\n", TWO, None, ["no examples"]),
        ("x,y\n1,a\n2,b,3\n", TWO, 3, ["expected 2 values", "found 3", "2,b,3"]),
        ("x,y\n1,a\n\n\n2\n", TWO, 5, ["expected 2 values", "found 1"]),
        ("x,x,y\n1,1,a\n", TWO, 1, ["two columns", "`x`"]),
        (",x,y\n0,1,a\n", TWO, 1, ["column 1 has no name", "index=False"]),
        ('x,y\n1,a\n2,"b\n3,c\n', TWO, 3, ["csv", "end of data"]),
        (b"x,y\n1,\xff\n", TWO, None, ["UTF-8"]),
        ("x,yy\n1,a\n", TWO, None, ["no column `y`", "`yy`"]),
        ("x,y\n1,a\n", {**TWO, "features": ["X"]}, None, ["no column `X`", "x"]),
        ("x,y\n1,a\n2,\n", TWO, 3, ["`y`", "expected a label", "''"]),
        ("x,y\n1,a\n2,NaN\n", TWO, 3, ["`y`", "expected a label", "'NaN'"]),
        ("x,y\n1,a\n2,b\noops,a\nbad,b\n", TWO, 4, ["`x`", "'oops'", "number"]),
        ("x,y\n1,a\n,b\n", TWO, 3, ["`x`", "is empty"]),
        ("x,y\n1,a\nnan,b\n", TWO, 3, ["`x`", "'nan'"]),
        ("x,y\n1,a\n2,b\n-inf,b\n", TWO, 4, ["`x`", "'-inf'"]),
        ("x,y\nq,a\nr,b\n", TWO, None, ["no feature column"]),
        ("x,y\nq,a\nr,b\n", {**TWO, "features": ["x"]}, 2, ["`x`", "'q'"]),
        ("x,y\n1,a\n2,b\n3,c\n", TWO, None, ["3 classes (a, b, c)", "two classes", "multiclass"]),
        ("x,y\n1,a\n2,a\n", TWO, None, ["has one class (a)", "two classes"]),
        ("x,y\n1,a\n", {**TWO, "task": "multiclass"}, None, ["has one class (a)", "two or more"]),
        ("x,y\n1,0\n2,-1\n", {**TWO, "task": "multiclass"}, 3, ["label -1", "at least 0"]),
        ("x,y\n1,0\n2,1.5\n", {**TWO, "task": "multiclass"}, 3, ["1.5", "regression"]),
        ("x,y\n1,a\n2,a\n3,b\n", TWO, None, ["class `a` has 2 examples", "validation"]),
        ("x,y\n1,2\n", {**TWO, "task": "regression"}, None, ["has 1 example", "too few"]),
        ("x,y\n1,2\n2,q\n", {**TWO, "task": "regression"}, 3, ["`y`", "'q'"]),
        ("x,y\n1,2\n2,2\n", {**TWO, "task": "regression"}, None, ["same value", "`y`"]),
        ("x,y\n1,1e99\n2,2\n3,3\n", {**TWO, "task": "regression", "standardize_target": False},
         None, ["too large for float32"]),
    ],
)  # fmt: skip
def test_a_bad_csv_is_reported_with_its_line(write, text, options, line, words):
    message = failure(files.csv, path=write(text), line=line, **options)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "kind", "task": "segmentation"}, ["segmentation", "npz"]),
        ({"target": "kind", "task": "multi"}, ["'multi'", "multiclass"]),
        ({"target": ["kind", "city"], "task": "binary"}, ["2 columns", "needs one"]),
        ({"target": [], "task": "regression"}, ["0 columns"]),
        ({"target": "score", "task": "regression", "features": ["score"]}, ["both", "`score`"]),
        ({"target": "score", "task": "regression", "delimiter": ""}, ["delimiter"]),
        ({"target": "score", "task": "regression", "delimiter": '"'}, ["delimiter"]),
    ],
)
def test_contradicting_options_of_a_table_are_refused(write, options, words):
    with pytest.raises(UserError) as caught:
        files.csv(0, path=write(TABLE), **options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["csv", "parquet", "npz"])
def test_a_file_that_is_missing_or_a_folder(tmp_path, name):
    options = {"task": "binary"} if name == "npz" else TWO
    function = getattr(files, name)
    assert "does not exist" in failure(function, path=tmp_path / "none", **options)
    assert "is a folder" in failure(function, path=tmp_path, **options)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04 broken", b"PAR1PAR1"])
@pytest.mark.parametrize("name", ["parquet", "npz"])
def test_a_file_of_another_kind(write, name, content):
    options = {"task": "binary"} if name == "npz" else TWO
    path = write(content, f"file.{name}")
    assert "cannot be read" in failure(getattr(files, name), path=path, **options)


@pytest.fixture
def frame():
    columns = {"x": [1, 2, 3, 4], "on": [True, False, True, True], "y": ["b", "a", "b", "a"]}
    return pandas.DataFrame(columns)


def test_a_parquet_file_equals_the_same_csv(tmp_path):
    random = np.random.default_rng(0)
    columns = {"a": random.normal(size=30), "b": random.integers(9, size=30), "y": ["u", "v"] * 15}
    table = pandas.DataFrame(columns)
    table.to_parquet(tmp_path / "t.parquet")
    table.to_csv(tmp_path / "t.csv", index=False)
    one = files.parquet(0, path=tmp_path / "t.parquet", **TWO)
    two = files.csv(0, path=tmp_path / "t.csv", **TWO)
    assert one.classes == two.classes
    for name in one.splits:
        for a, b in zip(one.splits[name], two.splits[name], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": [1.0, np.nan, 2.0, 3.0]}, ["`x` at [1]", "nan"]),
        ({"x": [1.0, 2.0, np.inf, 3.0]}, ["`x` at [2]", "inf"]),
        ({"x": pandas.array([1, 2, None, 4], dtype="Int64")}, ["`x` at [2]", "nan"]),
        ({"y": ["a", None, "b", "b"]}, ["`y` at [1]", "is ''", "expected a label"]),
        ({"y": ["a", "a", "a", "b"]}, ["class `b` has 1 example,"]),
    ],
)
def test_a_bad_parquet_is_reported_with_its_row(tmp_path, frame, change, words):
    path = tmp_path / "t.parquet"
    frame.assign(**change).to_parquet(path)
    message = failure(files.parquet, path=path, **TWO)
    for word in words:
        assert word in message


def test_parquet_types(tmp_path, frame):
    """Truth values are numbers, categories are labels, dates are neither."""
    frame = pandas.concat([frame, frame]).assign(day=pandas.Timestamp("2020-01-01"))
    frame["y"] = frame["y"].astype("category")
    frame.to_parquet(tmp_path / "t.parquet")
    data = files.parquet(0, path=tmp_path / "t.parquet", **TWO)
    assert data.classes == ("a", "b")
    assert data.train.inputs.shape[1] == 2
    assert "left out: day" in data.description
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    assert "no rows" in failure(files.parquet, path=tmp_path / "none.parquet", **TWO)


IMAGES = np.random.default_rng(0).normal(size=(8, 2, 3, 4))


def test_an_npz_file_of_a_table_for_regression(save):
    inputs = np.arange(12.0).reshape(6, 2)
    path = save(x=inputs, y=inputs @ [[1, 2, 3], [0, 1, 0]])
    data = files.npz(0, path=path, task="regression", inputs="x", targets="y")
    assert data.train.targets.shape == (3, 3)
    assert data.outputs == 3
    single = files.npz(0, path=save(inputs=inputs, targets=inputs[:, :1]), task="regression")
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
        data = files.npz(0, path=path, task=task)
        assert data.classes == names
        assert data.train.inputs.shape == (4, 2, 3, 4)
        assert data.outputs == (1 if task == "binary" else 2)
        assert sum(data.train.targets) == 2
    np.testing.assert_allclose(data.train.inputs.mean(), 0, atol=1e-6)


def test_an_npz_file_of_images_and_masks(save):
    masks = IMAGES[:, 0] > 0
    data = files.npz(0, path=save(inputs=IMAGES, targets=masks), task="segmentation")
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
        ({"inputs": IMAGES[:, 0], "targets": np.ones(8)}, "binary", ["(8, 3, 4)", "channels"]),
        ({"inputs": np.ones(8), "targets": np.ones(8)}, "regression", ["(8,)", "(n, 1)"]),
        ({"inputs": IMAGES[:0], "targets": np.ones(0)}, "binary", ["(0, 2, 3, 4)", "size 0"]),
        ({"inputs": IMAGES, "targets": np.eye(8)}, "multiclass", ["(8, 8)", "argmax"]),
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
    message = failure(files.npz, path=save(**arrays), task=task)
    for word in words:
        assert word in message


def test_an_npy_file_is_not_an_npz_file(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, IMAGES)
    assert "npy file" in failure(files.npz, path=path, task="binary")


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_a_class_with_three_examples_has_one_in_each_split(write, fraction):
    rows = [f"{i},{'rare' if i < 3 else 'usual'}" for i in range(30)]
    path = write("\n".join(["x,y", *rows]))
    data = files.csv(0, path=path, target="y", task="binary", test_fraction=fraction)
    assert [(split.targets == 0).sum() for split in data.splits.values()] == [1, 1, 1]
