"""The block `compare`: its defaults, and every mistake in it."""

import pytest
from helpers.configs import BASE, load, refused

from landscape import config


def test_the_defaults_are_those_of_the_protocol(tmp_path):
    settings = config.compare_settings(load(tmp_path))
    assert load(tmp_path).compare is None
    assert settings == load(tmp_path, BASE + "compare: {}\n").compare
    assert (settings.rates, settings.margin, settings.robustness) == (13, None, {})
    assert settings.tuning_seeds == (10_000, 10_001, 10_002)
    assert settings.judging_seeds == tuple(range(10))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("", "softmax_cross_entropy"),
        ("losses: [brier, focal]", "brier"),
        ("losses: [brier, {name: softmax_cross_entropy, label: usual}]", "usual"),
        ("losses: [brier, softmax_cross_entropy]\ncompare: {reference: brier}", "brier"),
    ],
)
def test_the_reference_is_the_usual_loss_of_the_task_unless_it_is_named(tmp_path, text, reference):
    base = BASE if "losses" not in text else BASE.partition("losses")[0]
    assert config.reference_label(load(tmp_path, base + text)) == reference


def test_seeds_are_counts_or_lists_and_rates_are_sorted(tmp_path):
    overrides = ("compare.tuning_seeds=2", "compare.judging_seeds=[4, 7]", "compare.rates=5")
    settings = load(tmp_path, BASE, *overrides).compare
    assert settings.tuning_seeds == (10_000, 10_001) and settings.judging_seeds == (4, 7)
    assert settings.rates == 5
    assert load(tmp_path, BASE, "compare.rates=[0.1, 0.001]").compare.rates == (0.001, 0.1)


def test_axes_are_names_with_default_values_or_a_mapping(tmp_path):
    listed = load(tmp_path, BASE, "compare.robustness=[batch_size, depth]").compare.robustness
    assert listed == {"batch_size": (16, 64, 256), "depth": None}
    text = BASE + "compare:\n  robustness: {depth: [2], batch_size: null}\n"
    mapped = load(tmp_path, text).compare.robustness
    assert mapped == {"depth": (2,), "batch_size": (16, 64, 256)}


def test_conditions_set_a_key_and_that_of_the_config_sets_nothing(tmp_path):
    text = BASE + "compare:\n  robustness: {batch_size: [8, 64], depth: null}\n"
    found = [(c.key, c.swept) for c in config.conditions(load(tmp_path, text))]
    assert found == [
        ("batch_size", {"batch_size": 8}),
        ("batch_size", {}),
        ("model.widths", {}),
        ("model.widths", {"model.widths": [64, 64]}),
        ("model.widths", {"model.widths": [64, 64, 64, 64]}),
    ]


@pytest.mark.parametrize(
    ("block", "message", "hint"),
    [
        ("{reference: bier}", "found 'bier', expected one of the losses", "did you mean `brier`?"),
        ("{rates: []}", "`compare.rates`: found the list [], expected a count from 3", None),
        ("{rates: [0.1, -0.1]}", "expected a count from 3 to 101, or a list of at least 2", None),
        ("{rates: [0.1, 0.1]}", "distinct numbers greater than 0", None),
        ("{rates: [0.1, fast]}", "numbers greater than 0", None),
        ("{rates: [0.1, 1e-60]}", "numbers greater than 0", None),
        ("{rates: 1}", "expected a count from 3", None),
        ("{rates: fast}", "expected a count from 3", None),
        ("{judging_seeds: 1}", "found the integer 1, expected at least 2 seeds", None),
        ("{judging_seeds: []}", "`compare.judging_seeds`", None),
        ("{tuning_seeds: 0}", "expected a count of at least 1, or a list of seeds", None),
        ("{tuning_seeds: [3]}", "seeds are used for tuning and for judging: 3", "cannot be judged"),
        (
            "{margin: -1}",
            "`compare.margin`: found the integer -1, expected a number greater than 0",
            None,
        ),
        ("{robustness: [label_nose]}", "no robustness axis `label_nose`", "`label_noise`"),
        ("{robustness: [[1]]}", "expected a list of axes, or a mapping", None),
        ("{robustness: {batch_size: []}}", "`compare.robustness.batch_size`", None),
        ("{robustness: {batch_size: [8, 8]}}", "the axis `batch_size` lists a value twice", None),
        ("{robustness: {batch_size: [0]}}", "robustness axis `batch_size`: `batch_size`", None),
        ("{robustness: {depth: [0]}}", "expected 1 to 100 layers", None),
        ("{refrence: brier}", "there is no key `compare.refrence`", "`compare.reference`"),
    ],
)
def test_mistakes_are_found_when_the_config_is_loaded(tmp_path, block, message, hint):
    error = refused(tmp_path, BASE + f"compare: {block}\n")
    assert message in str(error)
    assert hint is None or hint in str(error)
    assert "quick.yaml:4" in str(error) or "robustness" in message or "depth" in block


def test_a_model_without_layers_has_no_depth(tmp_path):
    text = BASE.replace("mlp", "linear") + "compare: {robustness: [depth]}\n"
    assert "the model `linear` has no depth" in str(refused(tmp_path, text))
