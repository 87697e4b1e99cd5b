"""User files: values that are read, and the message for each mistake."""

import numpy as np
import pandas
import pytest

from landscape.errors import UserError
from landscape.parts.datasets import Column, files

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


def test_numeric_columns_are_standardized_and_ignored_columns_are_named(write):
    options = {"target": "score", "task": "regression", "ignore": ["city", "kind"]}
    data = files.csv(0, path=write(TABLE), **options)
    assert data.train.inputs.shape == (2, 2)
    assert data.train.targets.shape == (2,)
    assert data.outputs == 1
    assert "left out: city, kind" in data.description
    assert data.standardized_target
    assert Column("score", "number", "standardized", "target") in data.columns
    raw = files.csv(0, path=write(TABLE), standardize_target=False, **options)
    assert not raw.standardized_target
    assert Column("score", "number", "", "target") in raw.columns
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


def test_several_regression_targets_are_several_outputs_in_their_own_units(write):
    options = {"task": "regression", "features": ["height"]}
    data = files.csv(0, path=write(TABLE), target=["score", "age"], **options)
    assert data.outputs == 2
    pairs = {tuple(pair) for pair in joined(data, "targets").tolist()}
    assert pairs == {(0.5, 1), (1.5, 2), (2.5, 3), (3.5, 4)}
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
        (b"x,y\n1,\xff\n", TWO, 2, ["UTF-8", "0xff", "cp1252"]),
        ("x,yy\n1,a\n", TWO, None, ["no column `y`", "`yy`"]),
        ("x,y\n1,a\n", {**TWO, "features": ["X"]}, None, ["no column `X`", "x"]),
        ("x,y\n1,a\n2,\n", TWO, 3, ["`y`", "expected a label", "''"]),
        ("x,y\n1,a\n2,NaN\n", TWO, 3, ["`y`", "expected a label", "'NaN'"]),
        ("x,y\n1,a\n2,b\noops,a\nbad,b\n", TWO, 4, ["`x`", "'oops'", "number"]),
        ("x,y\n1,a\n,b\n", TWO, None, ["1 column has", "`x` (1, first at line 3: empty)"]),
        ("x,y\n1,a\nnan,b\n", TWO, None, ["`x` (1, first at line 3: 'nan')"]),
        ("x,y\n1,a\n2,b\n-inf,b\n", TWO, 4, ["`x`", "'-inf'"]),
        ("y\na\nb\n", TWO, None, ["no column is left", "`features`"]),
        ("x,y\n1,a\n", {**TWO, "features": []}, None, ["no column is left"]),
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
        ({"target": "age", "task": "distribution"}, ["task: regression", "at the top level"]),
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


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_file_that_is_missing_or_a_folder(tmp_path, name):
    function = getattr(files, name)
    assert "does not exist" in failure(function, path=tmp_path / "none", **TWO)
    assert "is a folder" in failure(function, path=tmp_path, **TWO)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04 broken", b"PAR1PAR1"])
def test_a_file_that_is_no_parquet_file(write, content):
    path = write(content, "file.parquet")
    assert "cannot be read" in failure(files.parquet, path=path, **TWO)


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
        ({"x": [1.0, np.nan, 2.0, np.nan]}, ["`x` (2, first at [1]: nan)", "strategy"]),
        ({"x": [1.0, 2.0, np.inf, 3.0]}, ["`x` at [2]", "inf"]),
        ({"x": pandas.array([1, 2, None, 4], dtype="Int64")}, ["`x` (1, first at [2]: nan)"]),
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
    """Truth values are booleans, categories are labels, dates are refused."""
    frame = pandas.concat([frame, frame]).assign(day=pandas.Timestamp("2020-01-01"))
    frame["y"] = frame["y"].astype("category")
    frame.to_parquet(tmp_path / "t.parquet")
    data = files.parquet(0, path=tmp_path / "t.parquet", ignore=["day"], **TWO)
    assert data.classes == ("a", "b")
    kinds = {column.name: (column.kind, column.role) for column in data.columns}
    assert kinds == {
        "x": ("number", "input"),
        "on": ("boolean", "input"),
        "y": ("label", "target"),
        "day": ("", "ignored"),
    }
    message = failure(files.parquet, path=tmp_path / "t.parquet", **TWO)
    assert "`day` at [0] is '2020-01-01 00:00:00'; dates are not inputs" in message
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    assert "no rows" in failure(files.parquet, path=tmp_path / "none.parquet", **TWO)


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_a_class_with_three_examples_has_one_in_each_split(write, fraction):
    rows = [f"{i},{'rare' if i < 3 else 'usual'}" for i in range(30)]
    path = write("\n".join(["x,y", *rows]))
    data = files.csv(0, path=path, target="y", task="binary", test_fraction=fraction)
    assert [(split.targets == 0).sum() for split in data.splits.values()] == [1, 1, 1]
