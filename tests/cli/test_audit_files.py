"""`landscape audit` of a whole file, the verdict that fails, and SARIF for code hosts."""

import json

import pytest
from helpers.command_line import invoke

from landscape.audit.judge import finders
from landscape.audit.module_functions import module_functions
from landscape.errors import UserError

CODE = """
import functools
from functools import partial

import jax.numpy as jnp
from optax.losses import huber_loss

LIMIT = 1.0
print("imported")


def squared(predictions, targets):
    return (predictions - targets) ** 2


def capped(predictions, targets):
    größe = "äöü", jnp.minimum((predictions - targets) ** 2, 4.0)
    return größe[1]


def hard(predictions, targets):
    return (jnp.round(predictions) - targets) ** 2


def weighted(predictions, targets, weight):
    return weight * (predictions - targets) ** 2


def activation(x):
    return x


def _helper(predictions, targets):
    return predictions


class Loss:
    pass


alias = squared
bound = functools.partial(weighted, weight=2.0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a file of losses")
    (folder / "losses.py").write_text(CODE)
    (folder / "broken.py").write_text(
        "import jax.numpy as jnp\n\n\ndef f(p, t):\n    raise OSError"
    )
    (folder / "empty.py").write_text("def activation(x):\n    return x\n")
    return folder


@pytest.fixture(scope="module")
def listed(folder):
    return invoke("audit", "losses.py", "--task", "regression", cwd=folder)


def test_every_public_loss_of_a_file_has_one_line(listed):
    lines = listed.stdout.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["losses.py:squared", "regression", "trainable"],
        ["losses.py:capped", "regression", "care", "G202"],
        ["losses.py:hard", "regression", "untrainable", "G201,", "D101"],
        ["losses.py:bound", "regression", "trainable"],
    ]
    text = " ".join(" ".join(lines[4:]).split())
    assert text == (
        "4 functions: 2 trainable, 1 care, 1 untrainable; other arguments: weighted, activation"
    )
    assert listed.returncode == 1


@pytest.mark.parametrize(
    ("name", "fail_on", "code"),
    [
        ("losses.py:capped", "untrainable", 0),
        ("losses.py:capped", "care", 1),
        ("losses.py:hard", "care", 1),
        ("losses.py:squared", "care", 0),
    ],
)
def test_fail_on_names_the_mildest_verdict_with_exit_code_1(folder, name, fail_on, code):
    words = ("audit", name, "--task", "regression", "--fail-on", fail_on)
    assert invoke(*words, cwd=folder).returncode == code


@pytest.mark.parametrize(
    ("kind", "options", "names"),
    [
        ("loss", [], ["squared", "capped", "hard", "bound"]),
        ("loss", ["weight"], ["squared", "capped", "hard", "weighted", "bound"]),
        ("activation", [], ["activation"]),
        ("function", [], ["squared", "capped", "hard", "weighted", "activation", "bound"]),
    ],
)
def test_functions_are_chosen_by_the_arguments_that_are_not_options(folder, kind, options, names):
    functions = module_functions("losses.py", kind, options, folder)
    assert [name.partition(":")[2] for name in functions.names] == names


def test_a_module_lists_its_public_names(folder):
    import optax.losses

    functions = module_functions("optax.losses", "loss", [], folder)
    names = {name.partition(":")[2] for name in functions.names}
    assert {"hinge_loss", "huber_loss", "squared_error"} <= names
    assert "ctc_loss" in functions.skipped
    assert {*names, *functions.skipped} <= {*dir(optax.losses)}


def test_a_file_without_a_loss_is_an_error_that_names_its_functions(folder):
    with pytest.raises(UserError, match=r"`empty.py` has no public function.*") as raised:
        module_functions("empty.py", "loss", [], folder)
    assert "activation" in str(raised.value)


def test_a_file_that_cannot_be_imported_does_not_affect_the_others(folder):
    done = invoke("audit", "huber", "missing.py", "empty.py", "--json", cwd=folder)
    assert done.returncode == 2
    huber, missing, empty = json.loads(done.stdout)
    assert huber["verdict"] == "trainable"
    assert missing["loss"] == "missing.py" and "missing.py" in missing["error"]
    assert "no public function" in empty["error"]


# The objects of the log: required properties, and the others of the specification that are used.
# SARIF 2.1.0 (OASIS 2020), sections 3.13, 3.14, 3.18 to 3.20, 3.27 to 3.30, 3.49, 3.50, 3.58.
OBJECTS = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"invocations", "columnKind", "results"}),
    "driver": ({"name"}, {"semanticVersion", "rules"}),
    "rule": (
        {"id"},
        {"name", "shortDescription", "fullDescription", "help", "defaultConfiguration"},
    ),
    "invocation": ({"executionSuccessful"}, {"toolExecutionNotifications"}),
    "notification": ({"message"}, {"level"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations", "properties"}),
    "physical location": ({"artifactLocation"}, {"region"}),
    "artifact": ({"uri"}, {"uriBaseId"}),
    "region": ({"startLine"}, {"startColumn", "endColumn"}),
}
LEVELS = ("none", "note", "warning", "error")


def check_object(kind, value):
    required, others = OBJECTS[kind]
    assert required <= value.keys() <= required | others, (kind, value.keys())


def checked_run(text):
    """Returns the run of a SARIF log after a check of all of its objects."""
    log = json.loads(text)
    check_object("log", log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    check_object("run", run)
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = run["tool"]["driver"]
    check_object("driver", driver)
    for rule in driver["rules"]:
        check_object("rule", rule)
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
    for invocation in run["invocations"]:
        check_object("invocation", invocation)
        for notification in invocation.get("toolExecutionNotifications", []):
            check_object("notification", notification)
    for result in run["results"]:
        check_object("result", result)
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS and result["message"]["text"]
        for location in result["locations"]:
            check_object("physical location", location["physicalLocation"])
            check_object("artifact", location["physicalLocation"]["artifactLocation"])
            check_object("region", location["physicalLocation"]["region"])
    return run


@pytest.fixture(scope="module")
def sarif(folder):
    words = ("audit", "losses.py", "broken.py", "--task", "regression", "--format", "sarif")
    return invoke(*words, cwd=folder)


def test_sarif_has_the_objects_of_the_specification_and_a_rule_for_each_code(sarif):
    run = checked_run(sarif.stdout)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(finders())
    assert sarif.returncode == 2
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert "broken.py:5" in notification["message"]["text"]


def test_sarif_points_to_the_operation_in_the_file(sarif):
    results = checked_run(sarif.stdout)["results"]
    (dead,) = (result for result in results if result["ruleId"] == "G202")
    (location,) = dead["locations"]
    place = location["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "losses.py", "uriBaseId": "%SRCROOT%"}
    line = CODE.splitlines()[place["region"]["startLine"] - 1]
    columns = slice(place["region"]["startColumn"] - 1, place["region"]["endColumn"] - 1)
    assert line[columns] == "jnp.minimum((predictions - targets) ** 2, 4.0)"


def test_sarif_of_another_folder_has_an_absolute_path(folder, tmp_path):
    name = f"{folder / 'losses.py'}:hard"
    words = ("audit", name, "--task", "regression", "--format", "sarif")
    run = checked_run(invoke(*words, cwd=tmp_path).stdout)
    (place, *_) = run["results"][0]["locations"]
    artifact = place["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": (folder / "losses.py").as_uri()}
