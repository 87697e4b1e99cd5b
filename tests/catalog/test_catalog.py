"""The menus read from source, and names in a config turned into callables."""

import functools
import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from landscape import catalog
from landscape.catalog.menu import RUNTIME_NAMES
from landscape.errors import UserError


@dataclass(frozen=True)
class Part:
    name: str
    options: dict = field(default_factory=dict)


def build(family, name, folder, task=None, **options):
    return catalog.build(family, Part(name, options), folder=folder, task=task)


def refused(call, *arguments, **keywords) -> UserError:
    with pytest.raises(UserError) as caught:
        call(*arguments, **keywords)
    return caught.value


def test_menu_has_the_parts_of_every_family():
    assert {"huber", "squared_error"} <= catalog.menu("losses", "regression").keys()
    assert {"brier", "zero_one"} <= catalog.menu("losses", "binary").keys()
    assert {"linear", "mlp", "unet"} <= catalog.menu("models").keys()
    assert {"relu", "identity"} <= catalog.menu("activations").keys()
    assert {"digits", "csv"} <= catalog.menu("datasets").keys()
    assert {"sgd", "adam"} <= catalog.menu("optimizers").keys()
    assert {"cosine", "constant"} <= catalog.menu("schedules").keys()
    assert {"accuracy", "rmse"} <= catalog.menu("metrics").keys()
    assert {"random"} <= catalog.menu("directions").keys()


def test_a_name_in_two_tasks_is_two_entries():
    whole = catalog.menu("losses")
    assert whole["binary/focal"] == catalog.menu("losses", "binary")["focal"]
    assert whole["multiclass/focal"] == catalog.menu("losses", "multiclass")["focal"]
    assert whole["binary/focal"].file != whole["multiclass/focal"].file


@pytest.mark.parametrize("family", catalog.FAMILIES)
def test_entries_agree_with_the_imported_functions(family, tmp_path):
    """The entries agree with the imported functions, found by inspection instead of by parsing."""
    for entry in catalog.entries(family):
        function = catalog.build(
            family, Part(entry.name, _required(entry)), folder=_files(tmp_path), task=entry.task
        )
        while isinstance(function, functools.partial):
            function = function.func
        assert function.__name__ == entry.name
        assert Path(inspect.getsourcefile(function)) == entry.file
        parameters = inspect.signature(function).parameters
        keyword_only = {n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
        passed = RUNTIME_NAMES.get(family, ())
        assert keyword_only <= {*entry.options, *entry.fields, *passed}
        if family == "losses":
            assert set(entry.fields) == {*catalog.FIELDS} & parameters.keys()
        for name, option in entry.options.items():
            assert option.required == (parameters[name].default is inspect.Parameter.empty)
            if not option.required and isinstance(option.default, int | float | bool):
                assert option.default == parameters[name].default
        assert inspect.getdoc(function).startswith(entry.summary)
        assert 0 < len(entry.summary) <= 90


def _files(folder):
    (folder / "some.data").write_text("x")
    return folder


def _required(entry):
    values = {
        "str": "text",
        "Path": "some.data",
        "Annotated[Path, Folder()]": ".",
        "int": 3,
        "float": 1.0,
    }
    required = {n: o for n, o in entry.options.items() if o.required}
    return {n: values.get(o.annotation, _first_choice(o)) for n, o in required.items()}


def _first_choice(option):
    return (catalog.choices(option) or ["text"])[0]


def test_menu_leaves_out_classes_imports_and_private_names():
    for family in catalog.FAMILIES:
        names = {entry.name for entry in catalog.entries(family)}
        assert not any(name.startswith("_") or name[0].isupper() for name in names)
    assert "nearest" not in catalog.menu("models")


@pytest.mark.parametrize("family", catalog.FAMILIES)
def test_entries_of_a_name_are_those_of_the_whole_menu_with_that_name(family):
    menu = catalog.entries(family)
    for name in {entry.name for entry in menu}:
        expected = tuple(entry for entry in menu if entry.name == name)
        assert catalog.entries_named(family, name) == expected


@pytest.mark.parametrize("name", ["", "_private", "two words", "brie", "def brier(", "\ud800"])
def test_a_name_that_is_not_on_the_menu_has_no_entries(name):
    assert catalog.entries_named("losses", name) == ()


def test_only_the_learning_rate_is_an_option_among_runtime_arguments():
    assert catalog.menu("models")["linear"].options == {}
    assert "predictions" not in catalog.menu("losses", "regression")["huber"].options
    assert catalog.menu("optimizers")["adam"].options["learning_rate"].annotation == "float"
    assert "learning_rate" not in catalog.menu("schedules")["cosine"].options


def test_an_unknown_family_or_task_suggests_the_nearest():
    assert "`losses`" in refused(catalog.menu, "loses").hint
    assert "`binary`" in refused(catalog.menu, "losses", "binry").hint


def test_describe_is_plain_json():
    described = catalog.describe(catalog.menu("models")["mlp"])
    assert described["options"]["widths"] == {
        "annotation": "tuple[int, ...]",
        "required": False,
        "default": "(64,)",
    }


def test_build_binds_options_by_keyword(tmp_path):
    function = build("models", "mlp", tmp_path, widths=[8, 4], activation="tanh")
    assert function.keywords == {"widths": (8, 4), "activation": "tanh"}


def test_build_turns_a_whole_number_into_the_float_that_the_annotation_names(tmp_path):
    value = build("optimizers", "sgd", tmp_path, learning_rate=1).keywords["learning_rate"]
    assert type(value) is float


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"learning_rate": True}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"nesterov": 1}, "nesterov"),
    ],
)
def test_build_refuses_options_of_the_wrong_type(options, wrong, tmp_path):
    assert f"`{wrong}`" in refused(build, "optimizers", "sgd", tmp_path, **options).message


@pytest.mark.parametrize("widths", [[2.0], [True], 8, "8", [[8]]])
def test_only_a_list_of_whole_numbers_is_accepted_as_one(widths, tmp_path):
    error = refused(build, "models", "mlp", tmp_path, widths=widths)
    assert "whole number" in error.message


def test_an_unknown_choice_suggests_the_nearest(tmp_path):
    error = refused(build, "directions", "random", tmp_path, normalization="filtr")
    assert "did you mean `filter`?" in error.hint


def test_build_suggests_the_nearest_option_and_part(tmp_path):
    assert "`widths`" in refused(build, "models", "mlp", tmp_path, width=[8]).hint
    assert "did you mean `mlp`?" in refused(build, "models", "mpl", tmp_path).hint
    error = refused(build, "optimizers", "optax:lamb", tmp_path, learning_rate=1.0, weight_dcay=0)
    assert "did you mean `weight_decay`?" in error.hint


def test_a_loss_of_another_task_is_refused_with_those_that_fit(tmp_path):
    error = refused(build, "losses", "huber", tmp_path, task="binary")
    assert "regression" in error.message
    assert "savage" in error.hint


def test_a_loss_in_two_tasks_needs_the_task(tmp_path):
    assert "binary, multiclass" in refused(build, "losses", "focal", tmp_path).message
    assert build("losses", "focal", tmp_path, task="binary").func.__module__.endswith("binary")


def test_a_caller_may_override_the_learning_rate(tmp_path):
    (tmp_path / "mine.py").write_text("def rate(learning_rate, *, decay=0.0): return learning_rate")
    optimizer = build("optimizers", "mine.py:rate", tmp_path, learning_rate=0.5)
    assert optimizer() == 0.5
    assert optimizer(learning_rate="a schedule") == "a schedule"


def test_the_learning_rate_is_the_bound_value_or_the_default(tmp_path):
    assert catalog.learning_rate(build("optimizers", "sgd", tmp_path, learning_rate=0.5)) == 0.5
    default = inspect.signature(build("optimizers", "adam", tmp_path)).parameters["learning_rate"]
    assert catalog.learning_rate(build("optimizers", "adam", tmp_path)) == default.default
    (tmp_path / "mine.py").write_text("def fixed(): return 1")
    without = build("optimizers", "mine.py:fixed", tmp_path)
    assert "learning rate" in refused(catalog.learning_rate, without).message


def test_a_missing_required_option_is_refused(tmp_path):
    assert "`learning_rate`" in refused(build, "optimizers", "optax:lamb", tmp_path).message


def test_module_names_reach_libraries_and_the_folder_of_the_config(tmp_path):
    import optax

    huber = build("losses", "optax.losses:huber_loss", tmp_path, delta=2.0)
    assert huber.func is optax.losses.huber_loss
    assert huber.keywords == {"delta": 2.0}
    (tmp_path / "beside_the_config.py").write_text("def mine(predictions, targets): return 7")
    assert build("losses", "beside_the_config:mine", tmp_path)(0, 0) == 7
    assert str(tmp_path) not in sys.path


def test_module_names_reach_the_current_folder(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "in_current_folder.py").write_text("def mine(predictions, targets): return 8")
    monkeypatch.chdir(here)
    assert build("losses", "in_current_folder:mine", tmp_path)(0, 0) == 8


def test_a_missing_module_or_name_is_reported(tmp_path):
    error = refused(build, "losses", "no_such_package.losses:mine", tmp_path)
    assert "no module `no_such_package`" in error.message
    assert "install" in error.hint
    error = refused(build, "losses", "optax.losses:huber_los", tmp_path)
    assert "did you mean `huber_loss`?" in error.hint


@pytest.mark.parametrize("name", ["optax.losses:", ":mine", "a b:c d", "mine.py:two words"])
def test_a_malformed_name_is_refused(name, tmp_path):
    assert "does not name a part" in refused(build, "losses", name, tmp_path).message


def test_a_file_without_a_function_is_explained(tmp_path):
    assert "`mine.py:function`" in refused(build, "losses", "mine.py", tmp_path).hint


def test_a_users_file_is_found_beside_the_config(tmp_path):
    (tmp_path / "losses.py").write_text(
        "from helper import double\n"
        "def mine(predictions, targets, *, scale: float = 1.0):\n"
        "    return double(predictions) * scale\n"
    )
    (tmp_path / "helper.py").write_text("def double(x): return 2 * x\n")
    assert build("losses", "losses.py:mine", tmp_path, scale=3)(5, 0) == 30.0
    assert not list(tmp_path.glob("__pycache__/losses*"))


def test_a_file_is_loaded_once_per_content(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def mine(predictions, targets): return 1")
    first = build("losses", "mine.py:mine", tmp_path).func
    assert build("losses", "mine.py:mine", tmp_path).func is first
    path.write_text("def mine(predictions, targets): return 2")
    assert build("losses", "mine.py:mine", tmp_path)(0, 0) == 2


def test_a_users_file_may_define_dataclasses(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Scale:\n"
        "    by: int = 4\n"
        "def mine(predictions, targets): return Scale().by\n"
    )
    assert build("losses", "mine.py:mine", tmp_path)(0, 0) == 4


def test_a_callable_that_is_not_a_plain_function_is_built_too(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import functools\n"
        "def _power(predictions, targets, *, p=2): return (predictions - targets) ** p\n"
        "cubed = functools.partial(_power, p=3)\n"
        "number = 3\n"
    )
    assert build("losses", "mine.py:cubed", tmp_path)(3, 1) == 8
    assert "type int" in refused(build, "losses", "mine.py:number", tmp_path).message


def test_a_function_under_a_condition_is_found(tmp_path):
    (tmp_path / "mine.py").write_text(
        "try:\n    import optax\nexcept ImportError:\n    pass\nelse:\n"
        "    def mine(predictions, targets): return 9\n"
    )
    assert build("losses", "mine.py:mine", tmp_path)(0, 0) == 9


def test_a_missing_function_suggests_the_nearest_without_running_the_file(tmp_path):
    (tmp_path / "mine.py").write_text("def clipped_dice(p, t): return p\nraise RuntimeError\n")
    error = refused(catalog.find, "losses", "mine.py:cliped_dice", tmp_path)
    assert "did you mean `clipped_dice`?" in error.hint


def test_a_syntax_error_has_line_and_column(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\ndef mine(p, t)\n    return p\n")
    error = refused(catalog.find, "losses", "mine.py:mine", tmp_path)
    assert error.place.file == str(tmp_path / "mine.py")
    assert (error.place.line, error.place.column) == (2, 15)
    assert error.place.text.startswith("def mine(p, t)")


def test_an_exception_on_import_is_reported_at_the_users_line(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import math\n\ndef _check():\n    return math.sqrt(-1)\n\n"
        "limit = _check()\ndef mine(p, t): return p\n"
    )
    error = refused(build, "losses", "mine.py:mine", tmp_path)
    assert "ValueError" in error.message
    assert "math domain error" in error.message
    assert (error.place.line, error.place.text) == (4, "return math.sqrt(-1)")


def test_a_file_that_exits_python_is_an_error(tmp_path):
    (tmp_path / "mine.py").write_text("def mine(p, t): return p\nraise SystemExit(0)\n")
    assert refused(build, "losses", "mine.py:mine", tmp_path).place.line == 2


def test_a_failed_import_in_a_users_file_is_reported_at_its_line(tmp_path):
    (tmp_path / "mine.py").write_text("\nimport not_installed_here\ndef mine(p, t): return p\n")
    error = refused(build, "losses", "mine.py:mine", tmp_path)
    assert "not_installed_here" in error.message
    assert error.place.line == 2


def test_a_failed_import_in_a_users_module_is_reported_at_its_line(tmp_path):
    (tmp_path / "broken_module.py").write_text("\n\nimport not_installed_here\n")
    error = refused(build, "losses", "broken_module:mine", tmp_path)
    assert "not_installed_here" in error.message
    assert (Path(error.place.file).name, error.place.line) == ("broken_module.py", 3)


def test_paths_are_made_absolute_against_the_folder(tmp_path):
    (tmp_path / "numbers.csv").write_text("x,y\n1,2\n")
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\ndef data(seed, *, path: Path): return path\n"
    )
    mine = build("datasets", "mine.py:data", tmp_path, path="numbers.csv")
    assert mine(0) == tmp_path / "numbers.csv"
    options = {"path": "numbers.csv", "target": "y", "task": "regression"}
    shipped = catalog.build("datasets", Part("csv", options), folder=tmp_path)
    assert shipped.keywords["path"] == tmp_path / "numbers.csv"
    error = refused(build, "datasets", "mine.py:data", tmp_path, path="none.csv")
    assert str(tmp_path / "none.csv") in error.message


def test_a_user_defined_activation(tmp_path):
    (tmp_path / "mine.py").write_text("def cube(x): return x ** 3\n")
    function = build("models", "mlp", tmp_path, activation="mine.py:cube")
    assert function.keywords["activation"](2) == 8
    error = refused(build, "models", "mlp", tmp_path, activation="rel")
    assert "did you mean `relu`?" in error.hint
    contents = catalog.contents("models", Part("mlp", {"activation": "mine.py:cube"}), tmp_path)
    assert contents == {"activation": "def cube(x): return x ** 3\n"}


def test_only_a_users_file_has_source_text(tmp_path):
    (tmp_path / "mine.py").write_text("def mine(p, t): return p\n")
    assert catalog.source(Part("mine.py:mine"), tmp_path) == "def mine(p, t): return p\n"
    assert catalog.source(Part("optax.losses:huber_loss"), tmp_path) is None
    assert catalog.source(Part("huber"), tmp_path) is None


def test_contents_of_a_data_file_are_its_hash(tmp_path):
    path = tmp_path / "numbers.csv"
    part = Part("csv", {"path": "numbers.csv", "target": "y", "task": "regression"})
    path.write_bytes(b"abc")
    # The published test vector of SHA-256.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert catalog.contents("datasets", part, tmp_path) == {"path": expected}
    path.write_bytes(b"abcd")
    assert catalog.contents("datasets", part, tmp_path)["path"] != expected


def test_bind_fills_in_defaults_and_reports_every_problem(tmp_path):
    bound = catalog.bind("optimizers", Part("adam", {"learning_rate": 1, "b1": 0.5}), tmp_path)
    assert bound.problems == ()
    assert bound.options["b1"] == 0.5
    assert bound.options["b2"] == catalog.menu("optimizers")["adam"].options["b2"].default
    wrong = catalog.bind("optimizers", Part("adam", {"b1": "x", "b3": 1}), tmp_path)
    assert {problem.option for problem in wrong.problems} == {"b1", "b3"}


def test_bind_accepts_a_loss_that_any_task_accepts(tmp_path):
    both = catalog.menu("losses", "binary")["focal"], catalog.menu("losses", "multiclass")["focal"]
    one_sided = both[0].options.keys() ^ both[1].options.keys()
    for name in one_sided:
        owner = next(entry for entry in both if name in entry.options)
        value = owner.options[name].default
        assert catalog.bind("losses", Part("focal", {name: value}), tmp_path).problems == ()
    assert catalog.bind("losses", Part("focal", {"gama": 1.0}), tmp_path).problems


def _json(value):
    return list(value) if isinstance(value, tuple) else value


def test_defaults_of_a_loss_in_several_tasks_are_filled_in_if_they_agree(tmp_path):
    for name in {entry.name for entry in catalog.entries("losses")}:
        tables = [
            {option: spec.default for option, spec in entry.options.items()}
            for entry in catalog.entries("losses")
            if entry.name == name
        ]
        agreed = {
            k: _json(v) for k, v in tables[0].items() if all((k, v) in t.items() for t in tables)
        }
        assert catalog.bind("losses", Part(name), tmp_path).options == agreed
    assert catalog.bind("losses", Part("focal"), tmp_path).options == {"gamma": 2.0}
