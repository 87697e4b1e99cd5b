"""What would not fit in memory is refused from its shapes, and parts of the wrong kind by name."""

import pytest
from helpers.configs import BASE, load

from landscape import config
from landscape.errors import UserError
from landscape.run import memory_check, stored_sizes
from landscape.run.program_cache import ProgramCache, prepare

SMALL = BASE.replace("digits", "wine").replace("mlp", "linear") + "seeds: 1\nslices: null\n"


@pytest.fixture
def sixteen_gigabytes(monkeypatch):
    monkeypatch.setattr(memory_check, "device_memory", lambda: 16 * 10**9)


def refusal(folder, text, *overrides):
    with pytest.raises(UserError) as caught:
        prepare(config.expand(load(folder, text, *overrides)), ProgramCache())
    return getattr(caught.value, "errors", [caught.value])[0]


# Wine has 13 features and 3 classes, so `linear` has 42 parameters. With a hidden layer of a and
# one of b units there are 14 a + a b + b + 3 b + 3 parameters.
HUGE = 14 * 10**5 + 10**10 + 4 * 10**5 + 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.widths=[100000,100000]"], f"{HUGE} parameters, and training would take 200.0 GB"),
        (["model.widths=[2147483647,2147483647,2147483647]"], "training would take 184.5 EB"),
        (["model.widths=[500000,1000]", "checkpoints=20"], "20 checkpoints would take 40.6 GB"),
        (
            ["model.widths=[39000000]", "evaluation.split=train", "batch_size=100"],
            "the largest layer for a batch of 106 examples would take 16.5 GB",
        ),
        (
            ["steps=90000000", "record_every=1000", "batch_size=23"],
            "the order of the examples would take 16.6 GB",
        ),
        (
            ["model.widths=[100000,100]", "curvature.iterations=1000"],
            "1000 vectors of Lanczos would take 45.6 GB",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_their_size(
    overrides, message, tmp_path, sixteen_gigabytes
):
    error = refusal(tmp_path, SMALL.replace("linear", "mlp"), *overrides)
    assert message in error.message
    assert "there are 16.0 GB of memory" in error.message
    assert error.hint and error.part == "mlp"


def test_only_the_evaluated_examples_count(tmp_path, sixteen_gigabytes):
    """Of 106 examples the activations take 16.5 GB, of 100 they take 15.6 GB."""
    keys = ["model.widths=[39000000]", "evaluation.split=train", "batch_size=100"]
    text = SMALL.replace("linear", "mlp")
    (run,) = config.expand(load(tmp_path, text, *keys, "evaluation.size=100", "losses=[brier]"))
    cache = ProgramCache()
    memory_check.check_memory(run, cache.model(run), cache.dataset(run))


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ("{lines: {directions: 1000}, planes: null}", "the directions of 1000 lines"),
        ("{lines: null, planes: {draws: 500}}", "the directions of 500 planes"),
        ("{lines: null, planes: {eigenvalues: 1000}}", "1000 vectors of Lanczos"),
        ("{direction: {name: eigenvector, index: 500}}", "1000 vectors of Lanczos"),
    ],
)
def test_the_vectors_of_slices_are_counted(slices, message, tmp_path, sixteen_gigabytes):
    text = SMALL.replace("linear", "{name: mlp, widths: [1000000]}")  # 17,000,003 parameters
    error = refusal(tmp_path, text.replace("slices: null", f"slices: {slices}"))
    assert f"{message} would take 68.0 GB" in error.message


def test_a_layer_whose_parameters_cannot_be_counted_is_refused(tmp_path):
    text = SMALL.replace("linear", "{name: cnn, channels: [2147483647, 2147483647], stride: 1}")
    error = refusal(tmp_path, text.replace("wine", "digits"))
    assert "more than 2^63 parameters" in error.message


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2.34e12, "2.3 TB"),
        (1.6e29, "160000000000.0 EB"),
    ],
)
def test_a_size_is_printed_in_its_unit(size, text):
    assert stored_sizes.in_units(int(size)) == text


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=moons", "dataset.size=2147483647"], "from 6 to 10000000"),
        (["dataset=digit_masks", "dataset.canvas=100000"], "10000000000000 pixels"),
        (["dataset=digits", "model=cnn", "model.stride=2147483647"], "from 1 to 1001"),
        (["dataset=digits", "model=cnn", "model.kernel=2147483647"], "from 1 to 1001"),
        (
            [
                "dataset=digit_masks",
                "dataset.size=20",
                "batch_size=2",
                "model=unet",
                "model.depth=999999",
            ],
            "1 to 16",
        ),
        (["dataset=digits", "model=resnet", "model.depth=2147483642"], "from 1 to 1202"),
        (["model=mlp", f"model.widths=[{','.join('8' * 1001)}]"], "lists 1001 layers"),
    ],
)
def test_an_option_that_multiplies_work_is_bounded(overrides, message, tmp_path):
    error = refusal(tmp_path, SMALL, *overrides)
    assert message in error.message, error


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("dataset", "dataset `os.path:join` raises TypeError"),
        ("model", "model `os.path:join` raises TypeError"),
        ("optimizer", "optimizer `os:getcwd` returns str, expected an optimizer of optax"),
        ("optimizer.schedule", "raises TypeError"),
        ("metrics", "metric `os:getcwd` does not state whether higher or lower values are better"),
        ("slices.direction", "direction `os:getcwd` returns str, expected a function"),
        ("dataset", "dataset `builtins:str` returns str, expected a Dataset"),
        ("model", "model `builtins:dict` returns dict, expected a Model"),
    ],
)
def test_a_function_that_is_no_part_is_refused_by_its_name(key, message, tmp_path):
    name = message.split("`")[1] if "`" in message else "os.path:join"
    text = SMALL.replace("slices: null", "slices: {planes: null}")
    error = refusal(tmp_path, text, f"{key}={name}")
    assert message in error.message


def test_a_model_without_parameters_is_refused(tmp_path):
    (tmp_path / "own.py").write_text(
        "from landscape.parts.models import Model\n"
        "def fixed(shape, outputs):\n"
        "    return Model(lambda key: {}, lambda params, x: x[:, :outputs], lambda p: p)\n"
    )
    error = refusal(tmp_path, SMALL, "model=own.py:fixed")
    assert "model `own.py:fixed` has no parameters" in error.message and error.place is None
    assert error.part == "own.py:fixed" and error.hint
