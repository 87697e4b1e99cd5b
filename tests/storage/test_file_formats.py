"""The pages on the files of results are those of today's records and folders."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from landscape.storage import (
    audit_records,
    compare_records,
    curvature_records,
    data_records,
    experiment_folder,
    map_records,
    recording_records,
    records,
    store,
)

ROOT = Path(__file__).parents[2]


MODULES = (
    records,
    data_records,
    compare_records,
    map_records,
    curvature_records,
    audit_records,
    recording_records,
)


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "docs" / "file_formats.py"
    spec = importlib.util.spec_from_file_location("file_formats", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator):
    assert generator.PAGE.read_text() == generator.page(), "run `python docs/file_formats.py`"


def test_every_record_and_every_key_is_on_the_page(generator):
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", generator.page(), re.M | re.S))
    classes = {
        name: item
        for module in (
            records,
            data_records,
            compare_records,
            map_records,
            curvature_records,
            audit_records,
            recording_records,
        )
        for name, item in vars(module).items()
        if hasattr(item, "__dataclass_fields__") and item.__module__ == module.__name__
    }
    assert set(sections) == set(classes)
    for name, item in classes.items():
        own = inspect.get_annotations(item)
        fields = [item.__pydantic_fields__[key] for key in own]
        keys = [field.alias or key for key, field in zip(own, fields, strict=True)]
        assert re.findall(r"^\| `(\w+)` \|", sections[name], re.M) == keys, name


def test_the_list_of_files_is_complete():
    page = (ROOT / "runs" / "README.md").read_text()
    names = {
        *store.MEASURED,
        *store.TRAINING,
        store.LOG,
        store.PROGRESS,
        store.STATUS,
        experiment_folder.HELD,
    }
    names |= {"config.yaml", "meta.json", "summary.json", "experiment.yaml", "plan.json"}
    assert all(name in page for name in names | {"across.json", "compare.json"})
