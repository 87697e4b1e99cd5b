"""The page of every code is true: its example has the code, and the fixed example does not."""

import ast
import functools
import runpy
from pathlib import Path

import jax
import pytest
from helpers.command_line import invoke
from page import ROOT

import landscape
from landscape.audit import audit
from landscape.audit.judge import finders
from landscape.catalog.user_code import load_file
from landscape.report.code_pages import SECTIONS, code_pages

MODULES = Path(landscape.__file__).parent / "audit" / "codes"
PAGES = code_pages()
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.code)
SEVERITIES = ("error", "warning", "note")


@functools.cache
def audited(code, options, folder):
    """Returns the audit of the public function of an example, which several pages may share."""
    tree = ast.parse(code)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    (name,) = (name for name in names if not name.startswith("_"))
    file = folder / "example.py"
    file.write_text(code)
    words = options.split()
    settings = {key.removeprefix("--"): v for key, v in zip(words[::2], words[1::2], strict=True)}
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return audit(getattr(load_file(file), name), **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


def test_every_code_has_a_page():
    assert list(PAGES) == list(finders())


@each_page
def test_the_example_has_the_code_and_the_fixed_example_is_trainable_without_it(page, folder):
    example = audited(page.example, page.options, folder)
    findings = [finding for finding in example.findings if finding.code == page.code]
    assert findings, [finding.code for finding in example.findings]
    assert {finding.severity for finding in findings} <= {*page.severities}
    fixed = audited(page.fixed, page.options, folder)
    assert page.code not in [finding.code for finding in fixed.findings]
    assert fixed.verdict == "trainable", fixed.findings


@each_page
def test_the_page_names_the_severities_that_the_module_uses(page):
    (path,) = MODULES.glob(f"{page.code.lower()}_*.py")
    tree = ast.parse(path.read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    used = texts & {*SEVERITIES}
    assert page.severities
    assert not used or used == {*page.severities}  # N301 and N302 are judged elsewhere


def test_the_pages_of_the_docs_are_up_to_date():
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages_of_codes"]()
    stored = {path: path.read_text() for path in (ROOT / "docs" / "codes").glob("*.md")}
    assert stored == pages, "run `python docs/generate.py`"


def test_explain_prints_the_page_of_a_code_in_either_case(tmp_path):
    done = invoke("explain", "g202", "D101", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"{PAGES['G202'].markdown}\n{PAGES['D101'].markdown}"
    docstring = ast.get_docstring(ast.parse((MODULES / "g202_dead_region.py").read_text()))
    for line in docstring.splitlines()[1:]:
        if not line.startswith("## "):
            assert line.strip() in done.stdout
    assert docstring.count("\n## ") == len(SECTIONS)


def test_explain_lists_all_codes_and_suggests_the_nearest(tmp_path):
    listed = invoke("explain", cwd=tmp_path).stdout
    assert all(f"\n{code}  " in listed for code in finders())
    done = invoke("explain", "G2022", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean `G202`" in done.stderr
