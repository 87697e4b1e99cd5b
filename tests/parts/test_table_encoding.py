"""Columns of text, truth values and missing values, against pandas and NumPy."""

import numpy as np
import pandas
import pytest

from landscape.errors import UserError
from landscape.parts.datasets.files import csv, parquet

ROWS = 60
TARGET = {"target": "y", "task": "binary"}


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pandas.DataFrame(
        {
            "age": random.integers(18, 80, ROWS),
            "city": random.choice(["Oslo", "Rome", "Bonn"], ROWS),
            "member": random.choice(["true", "False"], ROWS),
            "y": np.where(np.arange(ROWS) % 3 == 0, "good", "bad"),
        }
    )


@pytest.fixture
def read(tmp_path):
    def read(frame, **options):
        path = tmp_path / "table.csv"
        frame.to_csv(path, index=False, sep=options.get("delimiter", ","))
        return csv(0, path=path, **{**TARGET, **options})

    return read


def by_row(data):
    """Inputs and targets in the order of the file, and which rows are for training."""
    rows = np.concatenate([split.rows for split in data.splits.values()])
    order = np.argsort(rows)
    inputs = np.concatenate([split.inputs for split in data.splits.values()])[order]
    targets = np.concatenate([split.targets for split in data.splits.values()])[order]
    return inputs, targets, np.isin(np.arange(len(rows)), data.train.rows)


def encodings(data):
    return {column.name: column.encoding for column in data.columns}


def failure(read, frame, **options):
    with pytest.raises(UserError) as caught:
        read(frame, **options)
    return str(caught.value)


def test_categories_are_the_dummies_of_pandas_and_numbers_are_standardized(read, frame):
    inputs, targets, training = by_row(read(frame))
    dummies = pandas.get_dummies(frame["city"]).to_numpy(float)
    np.testing.assert_array_equal(inputs[:, 1:4], dummies)
    member = (frame["member"] == "true").to_numpy(float)
    for column, raw in ((0, frame["age"].to_numpy(float)), (4, member)):
        expected = (raw - raw[training].mean()) / raw[training].std()
        np.testing.assert_allclose(inputs[:, column], expected, rtol=1e-5)
    np.testing.assert_array_equal(targets, frame["y"] == "good")


def test_missing_values_get_the_median_of_the_training_rows_and_an_indicator(read, frame):
    empty = np.arange(ROWS) % 7 == 0
    table = frame.assign(age=frame["age"].where(~empty), city=frame["city"].where(~empty))
    inputs, _, training = by_row(read(table, missing={"strategy": "median", "indicator": True}))
    age = frame["age"].to_numpy(float)
    filled = np.where(empty, np.median(age[training & ~empty]), age)
    expected = (filled - filled[training].mean()) / filled[training].std()
    np.testing.assert_allclose(inputs[:, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(inputs[:, 1], empty)
    commonest = table["city"][training].mode()[0]
    np.testing.assert_array_equal(
        inputs[:, 2:5], pandas.get_dummies(table["city"].fillna(commonest)).to_numpy(float)
    )
    np.testing.assert_array_equal(inputs[:, 5], empty)


def test_a_number_may_stand_for_a_missing_value(read, frame, tmp_path):
    empty = np.arange(ROWS) % 7 == 0
    filled = {"strategy": "mean"}
    expected = read(frame.assign(age=frame["age"].where(~empty)), missing=filled)
    coded = frame.assign(age=frame["age"].where(~empty, -999))
    options = {"missing": filled, "missing_values": ["", "-999"]}
    coded.to_parquet(tmp_path / "table.parquet")
    for data in (
        read(coded, **options),
        parquet(0, path=tmp_path / "table.parquet", **TARGET, **options),
    ):
        np.testing.assert_array_equal(by_row(data)[0], by_row(expected)[0])


@pytest.mark.parametrize(
    ("missing", "number", "category"),
    [
        ({"strategy": "mean"}, "the mean of training", "the most frequent of training"),
        ({"strategy": "constant", "value": -5}, "-5", "the category `missing`"),
    ],
)
def test_the_replacement_is_stated_for_each_column(read, frame, missing, number, category):
    table = frame.assign(age=frame["age"].where(frame.index != 3), city=["", *frame["city"][1:]])
    stated = encodings(read(table, missing=missing))
    assert stated["age"] == f"standardized, 1 missing values replaced by {number}"
    assert stated["city"].endswith(f", 1 missing values replaced by {category}")


def test_the_training_inputs_do_not_depend_on_the_values_of_other_rows(read, frame):
    first = read(
        frame.assign(age=frame["age"].where(frame.index % 5 > 0)), missing={"strategy": "mean"}
    )
    others = ~np.isin(np.arange(ROWS), first.train.rows)
    changed = frame.assign(age=np.where(others, 1000, frame["age"]))
    second = read(
        changed.assign(age=changed["age"].where(frame.index % 5 > 0)), missing={"strategy": "mean"}
    )
    np.testing.assert_array_equal(first.train.inputs, second.train.inputs)


def test_a_category_without_a_training_row_is_0_and_is_named(read, frame):
    row = int(read(frame).test.rows[0])
    table = frame.assign(city=np.where(frame.index == row, "Lima", frame["city"]))
    data = read(table)
    inputs, _, _ = by_row(data)
    assert inputs.shape[1] == 6
    np.testing.assert_array_equal(inputs[row, 1:5], 0)
    assert "not in training, so all 0 in 1 rows: Lima" in encodings(data)["city"]


def test_numbers_are_categories_if_the_config_says_so(read, frame):
    table = frame.assign(age=frame["age"] % 3)
    data = read(table, categories=["age"])
    inputs, _, _ = by_row(data)
    np.testing.assert_array_equal(inputs[:, :3], pandas.get_dummies(table["age"]).to_numpy(float))
    assert encodings(data)["age"] == "one-hot (3: 0, 1, 2)"


@pytest.mark.parametrize(
    ("positive", "classes"), [("good", ("bad", "good")), ("bad", ("good", "bad"))]
)
def test_the_positive_class_is_1(read, frame, positive, classes):
    data = read(frame, positive=positive)
    assert data.classes == classes
    np.testing.assert_array_equal(by_row(data)[1], frame["y"] == positive)
    assert encodings(data)["y"] == f"0 = {classes[0]}, 1 = {positive} (positive)"


def test_classes_state_the_order(read, frame):
    levels = np.array(["low", "mid", "high"])[np.arange(ROWS) % 3]
    data = read(frame.assign(y=levels), task="ordinal", classes=["low", "mid", "high"])
    np.testing.assert_array_equal(by_row(data)[1], np.arange(ROWS) % 3)
    message = failure(read, frame.assign(y=levels), task="ordinal")
    assert "whose order is not stated" in message
    assert "classes: [high, low, mid]" in message


def test_columns_become_fields(read, frame):
    table = frame.assign(w=np.linspace(1, 2, ROWS), event=np.arange(ROWS) % 2)
    options = {"target": "age", "task": "survival", "fields": {"weights": "w", "events": "event"}}
    data = read(table, **options, standardize_target=False)
    for split in data.splits.values():
        np.testing.assert_allclose(split.fields["weights"], table["w"][split.rows], rtol=1e-6)
        np.testing.assert_array_equal(split.fields["events"], split.rows % 2)
        np.testing.assert_array_equal(split.targets, frame["age"][split.rows])
    message = failure(read, frame, target="age", task="survival")
    assert "`events`" in message
    assert "fields: {events: NAME}" in message


def test_a_group_is_the_field_of_a_ranking(read, frame):
    table = frame.assign(query=np.arange(ROWS) // 4, y=np.arange(ROWS) % 3)
    data = read(table, target="y", task="ranking", group="query")
    for split in data.splits.values():
        codes, queries = split.fields["groups"], split.rows // 4
        assert len(set(zip(codes, queries, strict=True))) == len(set(codes)) == len(set(queries))
    assert "group: NAME" in failure(read, table, target="y", task="ranking")


def test_decimal_commas(read, frame):
    table = frame.assign(age=[f"{value},5" for value in frame["age"]])
    message = failure(read, table, delimiter=";")
    assert "column `age` is '" in message
    assert 'decimal: ","' in message
    plain, _, _ = by_row(read(frame.assign(age=frame["age"] + 0.5)))
    inputs, _, _ = by_row(read(table, delimiter=";", decimal=","))
    np.testing.assert_array_equal(inputs, plain)
    mixed = failure(read, frame.assign(age=frame["age"] + 0.5), delimiter=";", decimal=",")
    assert "leave `decimal:" in mixed


@pytest.mark.parametrize(
    ("changed", "options", "words"),
    [
        ({"age": "2021-03-04"}, {}, ["table.csv:2:", "dates are not inputs", "ignore: [age]"]),
        ({"age": "04.03.2021 10:00"}, {}, ["dates are not inputs"]),
        ({"age": "12 kg"}, {}, ["'12 kg'", "without units", "categories: [age]"]),
        ({"age": "$1,200"}, {}, ["'$1,200'", "without units"]),
        ({"age": [*["3+"], *range(ROWS - 1)]}, {}, ["'3+'", "59 other rows", "missing_values"]),
        ({"city": [f"c{i}" for i in range(ROWS)]}, {}, ["60 different texts", "ignore: [city]"]),
        ({"city": ""}, {}, ["`city` has no value in any row", "ignore: [city]"]),
        ({"age": ["", "?", *range(ROWS - 2)]}, {}, ["'?'", "missing_values"]),
        ({"age": ["", "", *range(ROWS - 2)], "city": ["NA"] + ["x"] * (ROWS - 1)}, {},
         ["2 columns have missing", "`age` (2, first at line 2: empty)", "`city` (1, first at"]),
        ({}, {"ignore": ["town"]}, ["no column `town`"]),
        ({}, {"ignore": ["y"]}, ["`y` is both in `ignore` and the target"]),
        ({}, {"ignore": ["age"], "features": ["age"]}, ["`age` is both a feature and in `ignore`"]),
        ({}, {"categories": ["y"]}, ["`y` is both in `categories` and the target"]),
        ({}, {"positive": "goof"}, ["'goof'", "bad and good", "did you mean `good`"]),
        ({}, {"missing": {"strategy": "modus"}}, ["'modus'", "most_frequent"]),
        ({}, {"missing": {"strategi": "mean"}}, ["no key `strategi`", "`strategy`"]),
        ({}, {"missing": {"strategy": "mean", "value": 1}}, ["needs `strategy: constant`"]),
        ({}, {"missing": {"strategy": "mean", "indicator": 1}}, ["expected true or false"]),
        ({}, {"classes": ["bad", "godo"]}, ["the label `good`", "did you mean `godo`"]),
        ({}, {"target": "age", "task": "regression", "positive": "good"}, ["not for regression"]),
        ({"y": "good"}, {}, ["one class (good)"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_option_that_helps(read, frame, changed, options, words):
    message = failure(read, frame.assign(**changed), **options)
    for word in words:
        assert word in message


def test_a_wrong_delimiter_and_encodings(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n1;a\n2;b\n")
    with pytest.raises(UserError, match='did you mean `delimiter: ";"`'):
        csv(0, path=path, **TARGET)
    lines = [f"{i},caf{'é' if i % 2 else 'e'}" for i in range(12)]
    path.write_bytes("\n".join(["x,y", *lines]).encode("cp1252"))
    with pytest.raises(UserError, match=r"t\.csv:3: the byte 0xe9 is not text in UTF-8"):
        csv(0, path=path, **TARGET)
    assert csv(0, path=path, encoding="cp1252", **TARGET).classes == ("cafe", "café")
    path.write_bytes("\n".join(["x,y", *lines]).encode("utf-16"))
    with pytest.raises(UserError, match="encoding: utf-16"):
        csv(0, path=path, **TARGET)
    assert csv(0, path=path, encoding="utf-16", **TARGET).classes == ("cafe", "café")
    with pytest.raises(UserError, match="`encoding` is 'utf-99'"):
        csv(0, path=path, encoding="utf-99", **TARGET)
