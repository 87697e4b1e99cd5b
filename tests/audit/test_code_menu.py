"""Every code has one module, and every module of the folder reports one code."""

import ast
import inspect
from pathlib import Path

import pytest

import landscape
from landscape.audit.judge import finders

AUDIT = Path(landscape.__file__).parent / "audit"
MODULES = sorted((AUDIT / "codes").glob("[!_]*.py"))
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def codes_of_findings(path):
    """Returns the codes of the findings that a module builds, which must be literals."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    findings = [call for call in calls if ast.unparse(call.func) == "Finding"]
    assert all(not call.args for call in findings), f"{path.name} builds a Finding by position"
    return [
        ast.literal_eval(k.value) for call in findings for k in call.keywords if k.arg == "code"
    ]


def test_only_modules_of_codes_build_findings_and_each_code_has_one_module():
    builders = {path: set(codes_of_findings(path)) for path in AUDIT.rglob("*.py")}
    builders = {path: codes for path, codes in builders.items() if codes}
    assert builders == {path: {path.stem.partition("_")[0].upper()} for path in MODULES}
    assert len(MODULES) == len({code for codes in builders.values() for code in codes})


def test_the_menu_is_the_folder():
    assert list(finders()) == [path.stem.partition("_")[0].upper() for path in MODULES]


@each_module
def test_a_module_has_a_docstring_and_one_public_function(path):
    tree = ast.parse(path.read_text())
    code = path.stem.partition("_")[0].upper()
    assert ast.get_docstring(tree).startswith(f"{code}, ")
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if not name.startswith("_")] == ["find"]
    assert list(inspect.signature(finders()[code]).parameters) == ["survey"]


@pytest.mark.parametrize(
    ("folder", "above"), [("static", ("measure", "codes")), ("measure", ("codes",))]
)
def test_rules_and_measurements_do_not_depend_on_judgments(folder, above):
    for path in (AUDIT / folder).glob("*.py"):
        for name in above:
            assert f"landscape.audit.{name}" not in path.read_text(), path.name
