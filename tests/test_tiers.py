"""The first tier is a fixed part of every law, and the summary counts what it leaves out."""

from pathlib import Path

import pytest
from helpers import tiers

pytest_plugins = ["pytester"]
TESTS = Path(__file__).parent

MODULE = """
import pytest

@pytest.mark.parametrize("loss", ["l1", "l2", "l3", "l4", "l5", "l6", "l7"])
def test_law(loss): pass

@pytest.mark.parametrize("shape", [1, 2, 3])
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_law_of_shapes(loss, shape): pass

@pytest.mark.exhaustive
def test_by_hand(): pass

def test_single(): pass

@pytest.mark.parametrize("loss, task", [("l1", "a"), ("l2", "a"), ("l3", "b"), ("l4", "c")])
def test_law_of_pairs(loss, task): pass
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite of one module with a stride of 3."""
    monkeypatch.setattr(tiers, "STRIDES", {"test_laws.py": 3})
    pytester.makeini(f"[pytest]\nmarkers = exhaustive\npythonpath = {TESTS}")
    pytester.makepyfile(test_laws=MODULE)
    return pytester


def outcomes(suite, *options):
    result = suite.runpytest_inprocess("-p", "helpers.tiers", *options)
    return result.parseoutcomes()


def test_a_third_of_the_cases_of_each_group_runs(suite):
    """Three of seven losses, two of four, one of the three shapes of each, and the single test."""
    assert outcomes(suite) == {"passed": 3 + 2 + 2 * 1 + 1, "deselected": 4 + 2 + 2 * 2 + 1}


@pytest.mark.parametrize(
    "options, passed",
    [
        (["--exhaustive"], 19),
        (["-k", "by_hand or l7"], 2),
        (["test_laws.py::test_law"], 7),
        (["--exhaustive", "-m", "exhaustive"], 11),
    ],
)
def test_all_that_is_named_runs(suite, options, passed):
    assert outcomes(suite, *options)["passed"] == passed


def test_other_cases_do_not_change_which_run(suite):
    """The order of the cases and those of other groups have no influence."""
    items, _ = suite.inline_genitems("-p", "helpers.tiers", "--exhaustive")
    chosen = [item.nodeid for item in items if item.get_closest_marker("exhaustive")]
    suite.makepyfile(test_laws=MODULE.replace('"l1", "l2"]', '"l3", "l2", "l1"]'))
    items, _ = suite.inline_genitems("-p", "helpers.tiers", "--exhaustive")
    again = [item.nodeid for item in items if item.get_closest_marker("exhaustive")]
    assert len(again) == len(chosen) + 2
    assert set(chosen) < set(again)


def test_workers_pass_on_how_many_tests_they_leave_out(suite):
    """Workers leave out the test that is marked by hand: their table has no entry of the suite."""
    assert outcomes(suite, "-n", "2") == {"passed": 18, "deselected": 1}


@pytest.mark.parametrize("entry", tiers.STRIDES)
def test_every_stride_is_that_of_a_module_or_law(entry):
    module, _, law = entry.partition("::")
    assert f"def {law or 'test_'}" in (TESTS / module).read_text()
