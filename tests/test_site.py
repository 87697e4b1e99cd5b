"""The site of `make docs` is complete: every page is in it once, and every public name."""

import re
from pathlib import Path

import landscape

DOCS = Path(__file__).parent.parent / "docs"


def toctree_entries():
    """Returns the pages that the tables of contents name, as paths in docs/ without suffix."""
    entries = []
    for page in DOCS.glob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            names = [line for line in block.split("\n") if line and not line.startswith(":")]
            for name in names:
                paths = [*DOCS.glob(f"{name}.md"), *DOCS.glob(f"{name}.ipynb")]
                assert paths, f"{page.name} names the missing page {name}"
                entries += [str(path.relative_to(DOCS).with_suffix("")) for path in paths]
    return entries


def test_every_page_is_in_one_table_of_contents():
    paths = [*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")]
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in paths}
    assert sorted(toctree_entries()) == sorted(pages - {"index"})


def test_every_public_name_is_in_the_reference():
    documented = re.findall(r"::\s+landscape\.(\w+)\n", (DOCS / "api.md").read_text())
    assert set(landscape.__all__) <= set(documented)
