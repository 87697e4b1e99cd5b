"""Mutated configs and overrides: each loads, or is refused with a UserError, at a bounded cost.

2,000 cases, the same in every run: values of right and of wrong types at random places of the
configs in `configs/`, and random arguments.
"""

import functools
import json
import random
import resource
import signal
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from landscape import catalog, config
from landscape.config import loading
from landscape.config.structure import model_in
from landscape.errors import UserError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
CASES = 2000
MOST_CPU_SECONDS = 20.0  # thousands of times the usual, so that only endless work exceeds it
MOST_BYTES = 300e6

NAMES = [entry.name for family in catalog.FAMILIES for entry in catalog.entries(family)]
OPTIONS = sorted(
    {name for f in catalog.FAMILIES for entry in catalog.entries(f) for name in entry.options}
)
NUMBERS = [0, 1, -1, 2, 3, 7, 31, 2**31 - 1, 2**31, 2**63, 73258319688771190751, 10**59, 10**101]
NUMBERS += [0.0, 0.5, -0.5, 1.0, 1e-3, 1e-50, 1e-320, 1e40, -1e40, 1e59, 1e308]
TEXTS = ["", " ", "x", "x" * 200, "x" * 100_000, "NaN", ".inf", "auto", "null", "1m", "9" * 400]
TEXTS += ["9" * 400 + "h", "1e999TiB", "os.path:join", "os.path:", ":join", "a:b:c", "no.py:f"]
TEXTS += [
    "..",
    "../x",
    "/",
    "/dev/null",
    "a\0b",
    "\u2028",
    "\x85",
    "\x1b[2J",
    "=1+1",
    "{",
    "[",
    "&a",
]
TEXTS += ["broken_losses.py:hinge", "broken_losses.py:none", "broken_losses.py", "mlp.yaml", "a.b"]
PATHS = ["x" * 300, "x" * 300 + ".py:f", "a\0b.py:f", "\ud800", "\ud800.py:f", "/dev/zero", "a\nb"]
TEXTS += PATHS
RAW = ["[", "{", "{a: *b}", "&a [*a]", "!!int x", "!!bool y", "!!binary x", ",", ",,,", "'", '"']
RAW += ["1,2,3", "[1,2],[3]", "a,b", "1e999", "- 1", "? x", "|", "%", "@", "`", "#", "a: b: c", "-"]
RAW += [
    "[" * 1000,
    "[1,2" * 50,
    "1," * 30_000,
    "x" * 100_000,
    ".nan",
    "<<: 1",
    "{<<: {a: 1}}",
    "\t",
]


def value(draw, near=None, depth=0):
    """Returns a random JSON value, half of the time one like `near`."""
    if near is not None and draw.random() < 0.5:
        return similar(near, draw)
    scalars = [NUMBERS, TEXTS, NAMES, OPTIONS, [None, True, False]]
    match draw.randrange(8 if depth < 3 else 5):
        case 5:
            return [value(draw, None, depth + 1) for _ in range(draw.choice([0, 1, 2, 2, 3]))]
        case 6:
            keys = [draw.choice([*OPTIONS, "name", "options", "x"]) for _ in range(2)]
            return {key: value(draw, None, depth + 1) for key in keys}
        case 7:
            return {"name": draw.choice(NAMES), draw.choice(OPTIONS): value(draw, None, depth + 1)}
        case kind:
            return draw.choice(scalars[kind])


def similar(near, draw):
    """Returns another value of the same type: a nearby number, a name of the same family."""
    match near:
        case bool():
            return not near
        case int() | float():
            return draw.choice([near * 2, near + 1, near - 1, near / 3, near * 1000, near])
        case str():
            families = [[e.name for e in catalog.entries(f)] for f in catalog.FAMILIES]
            return draw.choice(next((names for names in families if near in names), [near + "x"]))
        case list():
            return draw.sample(near, draw.randint(0, len(near))) + draw.sample(
                near, min(1, len(near))
            )
        case dict():
            return {key: similar(child, draw) for key, child in near.items()}


def at(tree, path):
    """Returns the value at a path, None if there is none."""
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def keys(model=config.Experiment, prefix=()):
    """Yields the paths of all fields of the models of a config."""
    for name, field in model.model_fields.items():
        yield (*prefix, name)
        inner = model_in(field.annotation)
        if inner is not None:
            yield from keys(inner, (*prefix, name))


def paths(tree, prefix=()):
    """Yields the paths of all values of a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, child in items:
        yield (*prefix, key)
        if isinstance(child, dict | list):
            yield from paths(child, (*prefix, key))


def put(tree, path, new):
    """Sets a value, or adds it with a new key; does nothing if the path leaves the tree."""
    for step in path[:-1]:
        tree = tree.setdefault(step, {}) if isinstance(tree, dict) else tree
        tree = tree[step] if isinstance(tree, list) and isinstance(step, int) else tree
    if isinstance(tree, dict) or (isinstance(tree, list) and isinstance(path[-1], int)):
        tree[path[-1]] = new


KEYS = list(keys())


def mutate(tree, draw):
    """Changes, adds, repeats or removes values of a tree in place."""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        path = draw.choice(list(paths(tree)))
        match draw.randrange(5):
            case 0 | 1:
                put(tree, path, value(draw, at(tree, path)))
            case 2:
                put(tree, draw.choice(KEYS), value(draw))
            case 3:
                put(tree, (*path, draw.choice([*OPTIONS, "", "name"])), value(draw))
            case 4:
                put(
                    tree,
                    ("sweep", ".".join(map(str, path))),
                    [value(draw, at(tree, path)) for _ in range(2)],
                )
    return tree


def argument(tree, draw):
    """Returns a random argument of the command line."""
    path = draw.choice([*paths(tree), *KEYS])
    key = ".".join(map(str, path)) + draw.choice(
        [*[""] * 6, ".x", ".0", "." + draw.choice(OPTIONS)]
    )
    key = draw.choice([*[key] * 8, key[1:], "", "sweep." + key, "x" * 10_000, "losses.focal.gamma"])
    near = at(tree, path)
    texts = [json.dumps(value(draw, near)), str(value(draw, near)), draw.choice(RAW)]
    texts += [",".join(json.dumps(value(draw, near)) for _ in range(2))] * 2
    return draw.choice([f"{key}={draw.choice(texts)}"] * 9 + [key])


def attempt(path, overrides):
    """Loads a config and its runs; returns whether they are accepted."""
    try:
        experiment = config.load(path, overrides)
        runs = config.expand(experiment)
    except UserError as error:
        assert len(str(error)) < 20_000
        return False
    assert config.experiment_from(config.dump(experiment)) == experiment
    assert config.run_from(config.dump(runs[-1])) == runs[-1]
    return True


@pytest.fixture
def bounded():
    """Interrupts work without end, and limits the growth of memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def expired(*_):
        raise AssertionError("the config takes too long")

    handler = signal.signal(signal.SIGVTALRM, expired)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, handler)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MOST_BYTES


@pytest.mark.parametrize("kind", ["config", "arguments"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_is_not_accepted_is_refused(path, kind, bounded, tmp_path, monkeypatch):
    if kind == "arguments":  # they share a file
        monkeypatch.setattr(loading, "read", functools.cache(loading.read))
    tree = YAML(typ="safe", pure=True).load(path)
    tree |= {"losses": tree["losses"][:3], "seeds": 2}  # fewer take less time
    for file in path.parent.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = tmp_path / "whole.yaml"
    whole.write_text(json.dumps(tree))
    assert attempt(whole, [])
    accepted = 0
    cases = CASES // (2 * len(CONFIGS)) + 1
    for case in range(cases):
        draw = random.Random(f"{path.stem} {kind} {case}")
        file, overrides = whole, []
        if kind == "config":
            file = tmp_path / "mutated.yaml"
            file.write_text(json.dumps(mutate(json.loads(json.dumps(tree)), draw)))
        else:
            overrides = [argument(tree, draw) for _ in range(draw.choice([1, 1, 2]))]
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_CPU_SECONDS)
        try:
            accepted += attempt(file, overrides)
        except Exception as error:
            error.add_note(
                f"case {case}: {file.read_text()[:2000]!r} {[o[:300] for o in overrides]}"
            )
            raise
    assert accepted < cases / 2  # most mutations are mistakes
