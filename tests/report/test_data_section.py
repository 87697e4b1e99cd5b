"""The section on data: rows per split, shares of classes, and every column."""

from landscape.report import data_section
from landscape.storage.data_records import ColumnRecord, DataRecord

RECORD = DataRecord(
    description="churn.csv, churned from 2 columns",
    examples={"test": 20, "train": 60, "validation": 20},
    classes=("no", "10", "9"),
    class_counts={"test": (15, 4, 1), "train": (45, 12, 3), "validation": (15, 4, 1)},
    columns=(
        ColumnRecord("id", "", "", "ignored"),
        ColumnRecord("fee", "number", "standardized", "input"),
    ),
    standardized_target=True,
)


def test_classes_keep_their_order_and_splits_theirs():
    classes, columns = data_section.tables(RECORD)
    assert classes.texts.to_dict("list") == {
        "class": ["no", "10", "9"],
        "train": ["45 (75 %)", "12 (20 %)", "3 (5 %)"],
        "validation": ["15 (75 %)", "4 (20 %)", "1 (5 %)"],
        "test": ["15 (75 %)", "4 (20 %)", "1 (5 %)"],
    }
    assert list(columns.texts.itertuples(index=False, name=None)) == [
        ("id", "ignored", "", ""),
        ("fee", "input", "number", "standardized"),
    ]


def test_the_sentences_state_baselines_and_the_units_of_the_target():
    texts = data_section.sentences(RECORD, "Baselines: the mean 0.1.")
    assert texts[:2] == ["churn.csv, churned from 2 columns.", "Baselines: the mean 0.1."]
    assert "units of its standard deviation" in texts[2]
    assert data_section.sentences(None, "Baselines: the mean 0.1.") == []
    assert data_section.tables(None) == []


def test_class_1_of_a_binary_target_is_named():
    record = DataRecord("churn.csv", {"train": 4}, ("no", "yes"), positive="yes")
    assert "Class 1, the positive one: yes." in data_section.sentences(record, "")
    assert record.lines[1] == "class 1 (positive): yes"


def test_the_lines_for_a_terminal_name_every_class_and_column():
    assert RECORD.lines == [
        "data: churn.csv, churned from 2 columns",
        "test: no (15), 10 (4), 9 (1)",
        "train: no (45), 10 (12), 9 (3)",
        "validation: no (15), 10 (4), 9 (1)",
        RECORD.lines[4],
        "ignored `id`",
        "input `fee`: number, standardized",
    ]
