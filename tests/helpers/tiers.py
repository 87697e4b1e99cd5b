"""The second tier of the tests: further cases of laws of which the first tier runs a fixed part.

`make test` runs the first tier, `make test-all` both. A selection by name (`-k`, `module.py::test`)
runs everything that it names.
"""

import hashlib
import re
from collections import defaultdict
from types import SimpleNamespace

import pytest

# Per module, or per law of a module: the first tier runs every k-th case. Listed are those whose
# cases take most of the time of the tests. Each member of a menu keeps a cheaper law.
STRIDES = {
    "adapters/test_rescaling.py::test_rescaled_filters_rescale_the_filter_normalized_slice": 3,
    "audit/test_advice.py": 3,
    "audit/test_aims.py": 2,
    "audit/test_audit_page.py::"
    "test_every_loss_of_the_experiments_has_the_verdict_that_the_audit_gives": 2,
    "audit/test_audit_page.py::test_the_table_lists_what_the_rules_prove": 2,
    "audit/test_batches.py": 2,
    "audit/test_calls.py": 2,
    "audit/test_check_grads.py": 2,
    "audit/test_code_pages.py::"
    "test_the_example_has_the_code_and_the_fixed_example_is_trainable_without_it": 2,
    "audit/test_composition.py": 5,
    "audit/test_convexity.py": 3,
    "audit/test_corpus.py::test_audit_agrees_with_the_expectation_beside_the_function": 12,
    "audit/test_expected.py::test_audit_finds_what_is_known": 8,
    "audit/test_functions.py": 2,
    "audit/test_jaxprs.py::test_evaluation_as_traced_equals_the_function_in_float32": 3,
    "audit/test_public_reports.py": 3,
    "audit/test_rounding.py": 2,
    "audit/test_second_order.py": 2,
    "audit/test_task_examples.py::test_a_broken_loss_of_a_task_is_recognized": 2,
    "audit/test_task_examples.py::test_a_sound_loss_of_a_task_is_trainable": 2,
    "audit/test_unbounded_directions.py": 2,
    "compare/test_error_rates.py::"
    "test_some_loss_of_equal_ones_is_called_worse_in_at_most_6_percent": 2,
    "config/test_mutations.py::test_what_is_not_accepted_is_refused": 3,
    "interop/test_keras_losses.py::test_value_and_gradient_of_a_class_are_those_of_keras": 3,
    "interop/test_torch_audit.py": 5,
    "interop/test_torch_class_axis.py": 2,
    "interop/test_torch_posted_losses.py::test_value_and_gradient_are_those_of_torch": 2,
    "interop/test_torch_posted_losses.py::test_verdict_and_codes_are_those_of_the_argument": 4,
    "interop/test_torch_target_records.py": 2,
    "interop/test_torch_values.py": 2,
    "numerics/curvature/test_curvature.py::"
    "test_outermost_eigenvalues_of_networks_are_those_of_the_dense_hessian": 3,
    "numerics/test_hoist.py::test_all_other_operations_keep_their_values": 3,
    "numerics/test_hoist.py::test_models_and_their_gradients_are_equal_to_the_plain_evaluation": 6,
    "numerics/test_hoist.py::test_random_programs_keep_their_values": 3,
    "parts/losses/test_loss_laws.py::test_a_row_does_not_depend_on_its_neighbors": 4,
    "parts/losses/test_loss_laws.py::test_finite_on_random_and_extreme_predictions_and_ties": 4,
    "parts/losses/test_loss_laws.py::test_gradient_matches_central_differences": 4,
    "parts/losses/test_loss_laws.py::test_integer_and_boolean_targets_count_as_numbers": 4,
    "parts/losses/test_loss_laws.py::test_only_negative_controls_have_zero_gradient_everywhere": 2,
    "parts/losses/test_loss_laws.py::test_options_can_be_traced": 2,
    "parts/test_model_laws.py": 2,
    "parts/test_model_laws.py::test_every_activation_predicts_and_differentiates": 9,
    "parts/test_models.py::test_a_deep_network_keeps_the_scale_of_its_signal": 3,
    "report/test_audit_figure.py::test_panels_without_numbers_have_the_axis_of_the_first": 3,
    "report/test_audit_figure.py::test_texts_are_inside_the_figure_readable_and_do_not_overlap": 2,
    "run/test_loss_calls.py::test_training_and_measurements_are_those_of_weighted_least_squares": 2,
    "run/test_measurements.py::test_a_run_that_diverged_is_measured_like_any_other": 2,
    "run/test_perform.py::test_what_is_damaged_is_made_again": 3,
    "run/test_program_cache.py::test_all_losses_of_the_menu_can_be_compiled_together": 3,
    "test_configs.py::test_config_runs": 6,
    "test_foreign_folders.py::test_mutated_runs_are_skipped_and_the_others_reported": 6,
}


def pytest_addoption(parser):
    parser.addoption("--exhaustive", action="store_true", help="run both tiers of the tests")


def pytest_collection_modifyitems(config, items):
    """Leaves out the second tier, unless it is asked for."""
    mark_second_tier(items, STRIDES)
    by_name = config.option.keyword or any("::" in argument for argument in config.args)
    if config.option.exhaustive or by_name:
        return
    second = [item for item in items if item.get_closest_marker("exhaustive")]
    items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=second)
    if hasattr(config, "workeroutput"):
        config.workeroutput["second_tier"] = len(second)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Shows the number of tests left out, which pytest-xdist does not pass on from its workers."""
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and "deselected" not in reporter.stats:
        count = getattr(node, "workeroutput", {}).get("second_tier", 0)
        node.config.hook.pytest_deselected(items=[SimpleNamespace()] * count)


def mark_second_tier(items, strides):
    """Marks the cases as `exhaustive` that the strides leave to the second tier.

    Keeps the same ceil(n / stride) of n cases in every run and process: those whose ids have the
    smallest hashes. Cases whose ids share the part before the first `-` or `:` (a loss, a kind of
    fault) are thinned among themselves, so each such group keeps one, and a new case changes no
    other group; if no two of three cases or more share it, it names the case, and all are thinned
    together. A test without parameters stays in the first tier.
    """
    laws = defaultdict(lambda: defaultdict(list))
    for item in items:
        module, _, law = item.nodeid.partition("::")
        law, _, case = law.partition("[")
        module = module.removeprefix("tests/")
        stride = strides.get(f"{module}::{law}", strides.get(module, 1))
        if case and stride > 1:
            group = re.match(r"[^-:]*(?=[-:])|", case).group()
            laws[module, law, stride][group].append(item)
    for (*_, stride), groups in laws.items():
        sizes = [len(cases) for cases in groups.values()]
        single = len(sizes) > 2 and max(sizes) == 1
        together = [[case for cases in groups.values() for case in cases]]
        for cases in together if single else groups.values():
            cases.sort(key=lambda item: hashlib.sha256(item.nodeid.encode()).digest())
            for item in cases[-(-len(cases) // stride) :]:
                item.add_marker(pytest.mark.exhaustive)
