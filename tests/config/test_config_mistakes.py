"""Mistakes in a config: each is reported at its line and column, with what to do."""

import os
import pickle

import pytest
from helpers.configs import BASE, refused, write

from landscape import config
from landscape.config import with_places
from landscape.errors import CombinedError, UserError
from landscape.parts.datasets import files

# What is wrong, the line and column where (the fourth line is what is added to BASE), a piece of
# the message, a piece of the hint.
WRONG = [
    ("steps: 1\nsteps: 2", 5, 1, "duplicate key `steps`, first on line 4", "remove one"),
    ("stepz: 1", 4, 1, "no key `stepz`", "did you mean `steps`?"),
    ("evaluation: {splt: test}", 4, 14, "`evaluation.splt`", "did you mean `evaluation.split`?"),
    ("steps: [1", 5, 1, "not valid YAML", ""),
    ("steps: !count 1", 4, 8, "tag `!count`", ""),
    ("? [steps]\n: 3", 4, 3, "a mapping or a list as a key", ""),
    ("model2: &m {x: *m}", 4, 16, "alias that contains itself", ""),
    ("steps: many", 4, 8, "found the text 'many', expected a whole number", ""),
    ("steps: '3'", 4, 8, "found the text '3'", "without quotes"),
    ("steps: 2.0", 4, 8, "found the number 2.0, expected a whole number", ""),
    ("steps: true", 4, 8, "found true, expected a whole number", ""),
    ("steps: null", 4, 8, "found null", ""),
    ("steps: 0", 4, 8, "greater than or equal to 1", ""),
    ("steps: 100000000", 4, 8, "5000001 rows of a table", "`record_every: 101`"),
    ("steps: 90000000\nrecord_every: 100", 4, 8, "5760000064 numbers of examples", "fewer `steps`"),
    ("slices: {planes: {points: [3001, 3001]}}", 4, 27, "9006001 points", "fewer `points`"),
    ("steps: 3000000000", 4, 8, "less than or equal to 2147483647", ""),
    ("steps: " + "9" * 200, 4, 8, "more than 100 digits", ""),
    ("steps: -5", 4, 8, "found the integer -5", ""),
    ("batch_size: 0", 4, 13, "`batch_size`", ""),
    ("record_every: 0", 4, 15, "`record_every`", ""),
    ("title: 3", 4, 8, "expected text", "quotes"),
    ("name: a/b", 4, 7, "a valid name of a folder", ""),
    ("folder: nowhere", 4, 9, "an existing folder", ""),
    ("seeds: 0", 4, 8, "a count of at least 1", ""),
    ("seeds: true", 4, 8, "a count of at least 1", ""),
    ("seeds: []", 4, 8, "at least one value", ""),
    ("seeds: [1, 2, 1]", 4, 8, "distinct values", ""),
    ("seeds: [1, -2]", 4, 12, "`seeds[1]`: found the integer -2", ""),
    ("audit: 1", 4, 8, "found the integer 1, expected true or false", ""),
    ("target: high", 4, 9, "expected a number", ""),
    ("target: .nan", 4, 9, "found `.nan`, expected a finite number", ""),
    ("targets: onhot", 4, 10, "found the text 'onhot'", "did you mean `onehot`?"),
    ("metrics: []", 4, 10, "at least one value", ""),
    ("metrics: accuracy", 4, 10, "expected a list", "brackets"),
    ("metrics: [acuracy]", 4, 11, "no metric `acuracy`", "did you mean `accuracy`?"),
    ("evaluation: {split: tst}", 4, 21, "found the text 'tst'", "did you mean `test`?"),
    ("evaluation: {size: 0}", 4, 20, "`evaluation.size`", ""),
    ("gradients: {relative: 1.0}", 4, 23, "less than 1", ""),
    ("gradients: {absolute: -1}", 4, 23, "greater than or equal to 0", ""),
    ("slices: {at: []}", 4, 14, "at least one value", ""),
    ("slices: {at: [traned]}", 4, 15, "found the text 'traned'", "did you mean `trained`?"),
    ("slices: {lines: {points: 40}}", 4, 26, "an odd number", ""),
    ("slices: {lines: {points: 1}}", 4, 26, "greater than or equal to 3", ""),
    ("slices: {lines: {radius: 0}}", 4, 26, "greater than 0", ""),
    ("slices: {lines: {radius: atuo}}", 4, 26, "a distance greater than 0, or auto", ""),
    ("slices: {lines: {rise: 0}}", 4, 24, "greater than 0", ""),
    ("slices: {lines: [{points: 4}]}", 4, 27, "`slices.lines[0].points`", ""),
    ("slices: {lines: [{label: a/b}]}", 4, 26, "a line of text without a slash", ""),
    (
        "slices: {lines: [{}, {}]}",
        4,
        9,
        "two sets of lines have the label `random`",
        "the `label:`",
    ),
    (
        "slices: {lines: {direction: gradient, directions: 3}}",
        4,
        17,
        "`directions` is 3, but there is only one `gradient` at a point",
        "leave `directions` out",
    ),
    ("slices: {lines: {direction: gradent}}", 4, 29, "no direction `gradent`", "`gradient`"),
    ("slices: {planes: {axes: [gradient]}}", 4, 25, "expected 2 values", ""),
    ("slices: {planes: {axes: [gradient, gradient]}}", 4, 18, "the same direction", "use two"),
    (
        "slices: {planes: {axes: [eigenvector, {name: eigenvector, index: 1}]}}",
        4,
        18,
        "the same direction",
        "use two",
    ),
    ("slices: {planes: {axes: [gradient, update], draws: 2}}", 4, 18, "only one", "leave `draws`"),
    ("slices: {planes: {eigenvalues: 1}}", 4, 32, "greater than or equal to 2", ""),
    ("slices: {at: [initial], lines: {direction: update}}", 4, 9, "not defined at the initial", ""),
    (
        "slices: {lines: {direction: trajectory}}",
        1,
        1,
        "component 1 of the trajectory needs more than 1 checkpoints",
        "set `checkpoints: 20`",
    ),
    ("curvature: {checkpoints: true}", 4, 12, "no checkpoints are saved", "`checkpoints: 5`"),
    ("curvature: {operators: [hesian]}", 4, 25, "found the text 'hesian'", "`hessian`"),
    ("curvature: {eigenvalues: 0}", 4, 26, "greater than or equal to 1", ""),
    ("checkpoints: -1", 4, 14, "greater than or equal to 0", ""),
    ("across: {interpolations: [seed]}", 4, 27, "found the text 'seed'", "`seeds`"),
    ("slices: {lines: {radius: .inf}}", 4, 26, "finite", ""),
    ("slices: {planes: {points: [31]}}", 4, 27, "expected 2 values", ""),
    ("slices: {planes: {points: [31, 30]}}", 4, 32, "an odd number", ""),
    ("slices: {direction: randm}", 4, 21, "no direction `randm`", "did you mean `random`?"),
    ("optimizer: 3", 4, 12, "expected a name, or a mapping with a `name`", ""),
    ("optimizer: adm", 4, 12, "no optimizer `adm`", "did you mean `adam`?"),
    ("learning_rate: 0.1", 4, 1, "no key `learning_rate`", "mean `optimizer.learning_rate`?"),
    ("lines: null", 4, 1, "no key `lines`", "did you mean `slices.lines`?"),
    ("optimizer: {sgd: {learning_rate: 1}}", 4, 13, "no option `sgd`", "write `name: sgd`"),
    ("optimizer: {b3: 1}", 4, 13, "no option `b3`", "one of: b1, b2"),
    ("optimizer: {b1: high}", 4, 17, "found the text 'high', expected a number", ""),
    ("optimizer: {clip_norm: 0}", 4, 24, "greater than 0", ""),
    ("optimizer: {schedul: cosine}", 4, 13, "`schedul`", "did you mean `schedule`?"),
    ("optimizer: {schedule: cosin}", 4, 23, "no schedule `cosin`", "did you mean `cosine`?"),
    ("optimizer: {schedule: {final: 0}}", 4, 23, "`optimizer.schedule.name` is missing", ""),
    ("sweep: {stepz: [1]}", 4, 9, "no key `stepz`", "did you mean `steps`?"),
    ("sweep: {optimzer.b1: [1]}", 4, 9, "no key `optimzer.b1`", "did you mean `optimizer.b1`?"),
    ("sweep: {optimizer.b11: [1]}", 4, 9, "no option `b11`", "did you mean `b1`?"),
    ("sweep: {losses.brie.x: [1]}", 4, 9, "no loss is labeled `brie`", "did you mean `brier`?"),
    ("sweep: {losses.brier: [focal]}", 4, 9, "cannot be swept", "`losses.focal.gamma`"),
    ("sweep: {seeds: [1, 2]}", 4, 9, "`seeds` cannot be swept", "optimizer"),
    ("sweep: {slices.gradients: [true]}", 4, 9, "cannot be swept", ""),
    ("sweep: {audit: [true, false]}", 4, 9, "`audit` cannot be swept", "optimizer"),
    ("sweep: {steps: []}", 4, 16, "at least one value", ""),
    ("sweep: {steps: 3}", 4, 16, "expected a list", ""),
    ("sweep: {steps: [1, x]}", 4, 20, "found the text 'x'", ""),
    ("sweep: {steps: [1, 2, 1]}", 4, 23, "the sweep over `steps` lists the integer 1 twice", ""),
    ("sweep: {optimizer: [sgd, adm]}", 4, 26, "no optimizer `adm`", "did you mean `adam`?"),
]


@pytest.mark.parametrize(("added", "line", "column", "message", "hint"), WRONG)
def test_a_mistake_is_reported_with_its_place(added, line, column, message, hint, tmp_path):
    error = refused(tmp_path, BASE + added + "\n")
    assert not isinstance(error, CombinedError)
    assert message in error.message
    assert hint in (error.hint or "")
    assert error.place.file == str(tmp_path / "quick.yaml")
    assert (error.place.line, error.place.column) == (line, column)
    assert error.place.text in ((BASE + added).splitlines()[line - 1 :] or [None])[:1]
    assert f":{line}:{column}: " in str(error)


# The same for the three keys of BASE, by the line that is put in place of one.
WRONG_LINES = [
    ("losses: []", 9, "at least one value", ""),
    ("losses: brier", 9, "expected a list", "brackets"),
    ("losses: [brir]", 10, "no loss `brir`", "did you mean `brier`?"),
    ("losses: [3]", 10, "expected a name", ""),
    ("losses: [{gamma: 3}]", 10, "`losses[0].name` is missing", ""),
    ("losses: [{focal: {gamma: 3}}]", 10, "`losses[0].name` is missing", "write `name: focal`"),
    ("losses: [own.mine]", 10, "no loss `own.mine`", "write `own:mine`"),
    ("losses: [{name: focal, gama: 3}]", 24, "no option `gama`", "did you mean `gamma`?"),
    ("losses: [{name: focal, gamma: x}]", 31, "found the text 'x'", ""),
    ("losses: [focal, focal]", 17, "`focal` is listed twice", "remove"),
    ("losses: [focal, {name: focal, label: b}]", 17, "`focal` is listed twice", "remove"),
    ("losses: [brier, {name: focal, label: brier}]", 17, "have the label `brier`", "label"),
    ('losses: [{name: brier, label: "a\\nb"}]', 31, "a line of text", ""),
    ("losses: [no.py:mine]", 10, "there is no file", "one of: own.py"),
    ("losses: [onw.py:mine]", 10, "there is no file", "own.py`?"),
    ("losses: [own.py:mini]", 10, "no function `mini`", "did you mean `mine`?"),
    ("losses: [{name: own.py:mine, a: 1}]", 30, "no option `a`", "one of: scale"),
    ("losses: [{name: own.py:mine, scale: x}]", 37, "expected a number", ""),
    ("dataset: {name: digits, test_fraction: 1.0}", 40, "between 0 and 1", ""),
    ("dataset: {name: csv, path: no.csv, target: y, task: binary}", 28, "no file", "relative"),
    ("model: {name: mlp, widths: [8, 2.0]}", 28, "whole number", ""),
    ("model: {name: mlp, activation: rel}", 32, "no activation `rel`", "did you mean `relu`?"),
]


@pytest.mark.parametrize(("written", "column", "message", "hint"), WRONG_LINES)
def test_a_mistake_in_a_part_is_reported_with_its_place(written, column, message, hint, tmp_path):
    (tmp_path / "own.py").write_text(
        "def mine(predictions, targets, *, scale: float = 1.0): return predictions\n"
    )
    key = written.partition(":")[0]
    lines = [written if line.startswith(key) else line for line in BASE.splitlines()]
    error = refused(tmp_path, "\n".join(lines))
    assert not isinstance(error, CombinedError)
    assert message in error.message
    assert hint in (error.hint or "")
    assert (error.place.line, error.place.column) == (lines.index(written) + 1, column)


def test_a_missing_key_is_reported(tmp_path):
    error = refused(tmp_path, "dataset: digits\nlosses: [brier]\n")
    assert error.message == "the key `model` is missing"


def test_an_error_of_a_part_gets_the_place_of_its_name(tmp_path):
    placed = with_places(UserError("no module", part="brier"), write(tmp_path, BASE))
    assert (placed.place.line, placed.place.column) == (3, 33)


@pytest.mark.parametrize("text", [None, "", "steps: [", "folder: nowhere\n"])
def test_an_error_is_kept_if_the_config_cannot_be_read_again(text, tmp_path):
    """It was edited during a sweep."""
    path = tmp_path / "quick.yaml" if text is None else write(tmp_path, text)
    error = UserError("no module", part="brier")
    assert with_places(error, path) is error
    assert with_places(error, write(tmp_path, BASE), ["stepz=1"]) is error


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_before_it_is_opened(kind, tmp_path):
    """Opening a pipe waits for a writer, and some devices never end."""
    paths = [tmp_path / name for name in ("piped.yaml", "own.py", "data.csv")]
    for path in paths:
        os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="is a pipe, a device or a socket"):
        config.load(paths[0])
    dataset = BASE.replace("digits", "{name: csv, path: data.csv, target: y, task: binary}")
    for text in (BASE.replace("brier", "own.py:mine"), dataset):
        error = refused(tmp_path, text)
        assert "is a pipe, a device or a socket" in error.message and error.place.line
    with pytest.raises(UserError, match="is a pipe, a device or a socket"):
        files.csv(0, path=paths[2], target="y", task="binary")


def test_a_long_line_of_source_is_shortened(tmp_path):
    error = refused(tmp_path, BASE + f"stepz: [{'1, ' * 500}]\n")
    assert max(map(len, str(error).splitlines())) < 140


def test_a_syntax_error_in_a_users_file_is_reported_at_its_place(tmp_path):
    (tmp_path / "own.py").write_text("def mine(p, t)\n    return p\n")
    error = refused(tmp_path, BASE.replace("brier", "own.py:mine"))
    assert error.place.file == str(tmp_path / "own.py")
    assert (error.place.line, error.place.column) == (1, 15)


def test_all_mistakes_are_reported_in_the_order_of_the_file(tmp_path):
    text = (
        "dataset: digts\nmodel: {name: mlp, widths: 3}\nlosses: [brier]\nstepz: 3\nbatch_size: 0\n"
    )
    error = refused(tmp_path, text)
    assert isinstance(error, CombinedError)
    assert [one.place.line for one in error.errors] == [1, 2, 4, 5]
    assert all(str(one) in str(error) for one in error.errors)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
