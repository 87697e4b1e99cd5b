"""The page and the picture of the architecture agree with the folders and files there are."""

import re
import sys
from pathlib import Path

import pytest
from test_layers import LAYERS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.fixture
def architecture(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import architecture

    yield architecture
    del sys.modules["architecture"]


def test_the_picture_has_every_folder_and_no_arrow_upward(architecture):
    assert set(architecture.PLACES) == set(LAYERS)
    for folder, targets in architecture.imports().items():
        for target in targets:
            assert architecture.PLACES[folder][1] < architecture.PLACES[target][1]


def test_arrows_that_follow_from_others_are_left_out(architecture):
    targets = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert architecture.direct(targets) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def test_the_page_names_every_folder_and_only_files_that_exist():
    rows = re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", PAGE, flags=re.MULTILINE)
    assert set(rows) == set(LAYERS)
    paths = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?|[a-z_]+\.py)`", PAGE)
    folders = [
        ROOT,
        ROOT / "landscape",
        *(p for p in (ROOT / "landscape").rglob("*") if p.is_dir()),
    ]
    for path in paths:
        assert any((folder / path).exists() for folder in folders), path
