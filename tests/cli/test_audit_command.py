"""`landscape audit`: texts, JSON, exit codes, bad input."""

import json

import numpy as np
import pytest
from helpers.command_line import invoke, run_process

CODE = """
import functools
import random
import time

import jax
import jax.numpy as jnp
import numpy as np


def square(predictions, targets):
    return (predictions - targets) ** 2


def clipped(predictions, targets):
    p = jnp.clip(jax.nn.sigmoid(predictions), 1e-7, 1 - 1e-7)
    return -targets * jnp.log(p) - (1 - targets) * jnp.log(1 - p)


def hard(predictions, targets):
    return jnp.abs((predictions > 0).astype(jnp.float32) - targets)


def keras_order(y_true, y_pred):
    return jnp.maximum(y_pred - y_true, 0.0)


def weighted(predictions, targets, weight):
    return weight * (predictions - targets) ** 2


def gate(x, w):
    return jax.nn.sigmoid(w) * x


def branches(p, t):
    if p.sum() > 0:
        return p - t
    return t - p


def raises(p, t):
    raise ValueError("no such thing")


def in_numpy(p, t):
    return np.square(p - t)


def prints(p, t):
    print("here")
    return (p - t) ** 2


def draws(p, t):
    return (p - t + random.random()) ** 2


def sleeps(p, t):
    time.sleep(600)
    return (p - t) ** 2


def hangs(p, t):
    start = jax.lax.stop_gradient(jnp.sum(jnp.abs(p)) + 1.0)
    return (p - t) ** 2 * jax.lax.while_loop(lambda s: s > 0, lambda s: s + 1e-30, start)


def summed(p, t):
    return jnp.sum((p - t) ** 2, axis=1)


def pair(p, t):
    return p, t


def nothing(p, t):
    (p - t) ** 2


def whole(p, t):
    return jnp.argmax(p)


def imaginary(p, t):
    return (p - t) * 1j


def shaped(p, t):
    return jnp.ones((3, 3))


def alone(p):
    return p


def cross_entropy(logits, labels):
    assert logits.shape[-1] == 10
    return -jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1)


partial = functools.partial(weighted, weight=2.0)
NUMBER = 3
"""


DIGITS = """
dataset: digits
model: {name: mlp, widths: [4]}
losses: [softmax_cross_entropy]
batch_size: 8
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses of a user")
    (folder / "mine.py").write_text(CODE)
    return folder


def landscape(*args, cwd, by=invoke):
    return by("audit", *args, cwd=cwd)


def line_of(text):
    return 1 + next(i for i, line in enumerate(CODE.splitlines()) if text in line)


def test_json_has_the_promised_keys_and_the_exit_code_is_the_verdict(folder):
    names = ["squared_error", "mine.py:clipped", "mine.py:hard", "mine.py:raises"]
    done = landscape(*names, "--json", cwd=folder)
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)
    assert [one["loss"] for one in found] == names
    assert set(found[3]) == {"loss", "error"}
    for one in found[:3]:
        assert {"loss", "task", "verdict", "properties", "findings"} <= set(one)
        assert list(one["properties"]) == [
            "smoothness",
            "convex",
            "lipschitz",
            "curvature",
            "range",
            "dead_fraction",
            "coverage",
        ]
        assert all(set(p) == {"value", "how"} for p in one["properties"].values())
        assert {p["how"] for p in one["properties"].values()} <= {"proved", "measured"}
        for finding in one["findings"]:
            keys = {"code", "severity", "message", "where", "evidence", "suggestion"}
            assert set(finding) == keys
            assert {"file", "line", "text"} <= set(finding["where"])
    assert found[0]["properties"]["convex"] == {"value": True, "how": "proved"}
    assert found[0]["properties"]["lipschitz"]["value"] == "Infinity"


def test_exit_codes(folder):
    assert landscape("mine.py:square", cwd=folder).returncode == 0
    assert landscape("mine.py:clipped", "--task", "binary", cwd=folder).returncode == 0
    done = landscape("mine.py:hard", "--task", "binary", "--json", cwd=folder, by=run_process)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "untrainable"


def test_the_source_line_is_shown_with_a_caret_in_80_columns(folder):
    done = landscape("mine.py:clipped", "--task", "binary", "-v", cwd=folder)
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert f"mine.py:{line_of('jnp.clip(')}" in done.stdout
    at = next(i for i, line in enumerate(lines) if "p = jnp.clip(" in line)
    source, caret = lines[at], lines[at + 1]
    assert source[caret.index("^") : caret.rindex("^") + 1].startswith("jnp.clip(")
    assert "audited as well" in " ".join(done.stdout.split())
    assert "suspect" in done.stdout and "confirmed" in done.stdout


def test_evidence_can_be_recomputed(folder):
    """The point, the target and the slope in the evidence, against the function itself."""
    import jax
    from jax import numpy as jnp

    done = landscape("mine.py:clipped", "--task", "binary", "--json", cwd=folder)
    found = json.loads(done.stdout)
    (dead,) = (f for f in found["findings"] if f["code"] == "G202")
    scope: dict = {}
    exec(CODE, scope)
    with jax.enable_x64(True):
        point = jnp.float64(dead["evidence"]["example"])
        target = jnp.float64(found["targets"][dead["evidence"]["target"]][0])
        value, slope = map(float, jax.value_and_grad(scope["clipped"])(point, target))
    assert slope == 0.0
    # 1 - 1e-7 is another number in float32, in which the loss was traced: 15.94 for 16.12.
    assert abs(value - dead["evidence"]["value"]) < 0.2
    assert value > dead["evidence"]["lowest"] + 10


def test_order_options_kinds_and_figures(folder, tmp_path):
    flipped = json.loads(landscape("mine.py:keras_order", "--json", cwd=folder).stdout)
    assert any("target first" in note for note in flipped["notes"])
    kept = landscape(
        "mine.py:keras_order", "--order", "predictions-first", "--json", cwd=folder
    ).stdout
    assert not any("target first" in note for note in json.loads(kept)["notes"])
    given = landscape("mine.py:weighted", "--option", "weight=3.0", "--json", cwd=folder)
    assert json.loads(given.stdout)["properties"]["curvature"]["value"] == pytest.approx(6.0)
    bound = landscape("mine.py:partial", "--json", cwd=folder)
    assert json.loads(bound.stdout)["properties"]["curvature"]["value"] == pytest.approx(4.0)
    both = landscape("mine.py:gate", "--kind", "function", "--json", cwd=folder)
    assert json.loads(both.stdout)["kind"] == "function"
    figure = tmp_path / "shapes.png"
    drawn = landscape("jax.nn:relu", "--kind", "activation", "--figure", figure, cwd=folder)
    assert drawn.returncode == 0, drawn.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


MISTAKES = {
    "branches": ["line_of", "if p.sum() > 0", "jnp.where"],
    "raises": ["line_of", 'raise ValueError("no such thing")', "ValueError: no such thing"],
    "in_numpy": ["line_of", "return np.square", "jax.numpy"],
    "draws": ["line_of", "def draws", "random"],
    "pair": ["line_of", "def pair", "a tuple with 0, 1"],
    "nothing": ["line_of", "def nothing", "return"],
    "whole": ["line_of", "def whole", "int32"],
    "imaginary": ["line_of", "def imaginary", "complex"],
    "shaped": ["line_of", "def shaped", "(3, 3)"],
    "alone": ["line_of", "def alone", "--kind"],
    "weighted": ["line_of", "def weighted", "--option weight"],
    "NUMBER": ["", "", "int"],
    "squar": ["", "", "did you mean `square`"],
}


def test_each_mistake_is_reported_and_does_not_affect_the_others(folder):
    names = [f"mine.py:{name}" for name in MISTAKES]
    others = ["missing.py:x", "no_such_module:x", "hubber", "focal", "huber"]
    done = landscape(*names, *others, "--json", cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    found = json.loads(done.stdout)
    for one, (_, text, words) in zip(found, MISTAKES.values(), strict=False):
        assert words in one["error"], one
        if text:
            assert f"mine.py:{line_of(text)}:" in one["error"], one
    rest = found[len(MISTAKES) :]
    assert "missing.py" in rest[0]["error"] and "config" not in rest[0]["error"]
    assert "no module `no_such_module`" in rest[1]["error"]
    assert "did you mean `huber`" in rest[2]["error"]
    assert "--task" in rest[3]["error"]
    assert rest[4]["verdict"] == "trainable"


def test_prints_do_not_reach_the_output(folder):
    found = json.loads(landscape("mine.py:prints", "--json", cwd=folder, by=run_process).stdout)
    (note,) = (note for note in found["notes"] if "prints" in note)
    assert str(line_of('print("here")')) in note


@pytest.mark.slow
def test_a_loss_over_the_time_limit_is_named_and_the_others_are_audited(folder):
    names = ["mine.py:sleeps", "mine.py:hangs", "absolute_error"]
    done = landscape(*names, "--time-limit", "4", "--json", cwd=folder, by=run_process)
    assert done.returncode == 2
    sleeps, hangs, fine = json.loads(done.stdout)
    assert f"mine.py:{line_of('time.sleep(600)')}" in sleeps["error"]
    assert "after 4 s" in sleeps["error"] and "after 4 s" in hangs["error"]
    assert fine["verdict"] == "trainable"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["huber", "--task", "regresion"], "regression"),
        (["huber", "--domain", "reel"], "'real'"),
        (["huber", "--kind", "losses"], "loss"),
        (["huber", "--head", "tan"], "sigmoid"),
        (["huber", "--option", "delta"], "NAME=VALUE"),
        (["huber", "--option", "delta=-1"], "delta"),
        (["huber", "--option", "beta=1"], "beta"),
        (["huber", "--figure", "shapes.gif"], ".png"),
        (["huber", "--figure", "nowhere/shapes.png"], "nowhere"),
        (["huber", "--target-range", "4:1"], "LOW:HIGH"),
        (["huber", "--example", "nowhere.npz"], "nowhere.npz"),
        (["huber", "--example", "mine.py"], "cannot read the example"),
        (["huber", "--domain", "sphere", "--head", "tanh"], "leave out --head"),
        (["relu"], "relu"),
        (["hinge", "--task", "multiclass"], "hinge"),
    ],
)
def test_a_wrong_option_is_explained(folder, args, words):
    done = landscape(*args, cwd=folder)
    assert done.returncode == 2
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_readme_shows_what_is_printed(tmp_path):
    from pathlib import Path

    root = Path(__file__).parents[2]
    shown = (root / "README.md").read_text().split("landscape audit clipped_cross_entropy\n")[1]
    *expected, omission = shown.split("```\n")[1].splitlines()
    printed = landscape("clipped_cross_entropy", cwd=root).stdout.splitlines()
    assert [line.rstrip() for line in printed][: len(expected)] == expected
    assert omission.strip() == "…" and len(printed) > len(expected)


def test_examples_come_from_arrays_or_from_an_experiment(folder):
    np.savez(
        folder / "some.npz", predictions=np.zeros(6), targets=np.arange(6.0), weight=np.ones(6)
    )
    some = landscape("mine.py:weighted", "--example", "some.npz", "--json", cwd=folder)
    record = json.loads(some.stdout)
    assert (record["task"], record["verdict"]) == ("regression", "trainable"), record
    assert record["targets"]["example 3"] == [3.0]
    several = landscape("mine.py:summed", "--outputs", "3", "--json", cwd=folder)
    assert np.shape(json.loads(several.stdout)["targets"]["varied targets"]) == (1, 3)
    (folder / "digits.yaml").write_text(DIGITS)
    of_data = landscape("mine.py:cross_entropy", "--data", "digits.yaml", "--json", cwd=folder)
    record = json.loads(of_data.stdout)
    assert (record["task"], record["verdict"]) == ("multiclass", "trainable"), record
    assert {int(np.argmax(value)) for value in record["targets"].values()} <= set(range(10))
    both = landscape("huber", "--data", "digits.yaml", "--example", "some.npz", cwd=folder)
    assert both.returncode == 2 and "leave out one" in both.stderr + both.stdout
