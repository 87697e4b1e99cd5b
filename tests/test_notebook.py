"""The notebook of the docs runs, and its cells show what its texts state."""

import base64
import io
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.image import imread
from nbclient import NotebookClient

DOCS = Path(__file__).parent.parent / "docs"
# Prints what the texts of the notebook state, from its own objects.
FACTS = """
import json, sys

dead = comparison.traces.query("step == 0").groupby("loss")["dead/examples"].mean()
plane = seen.slices["trained/planes/random/risk"][0]
print(json.dumps({
    "codes": judged.table.query("severity == 'warning'")["code"].tolist(),
    "dead": dead.to_dict(),
    "failures": comparison.table.set_index("loss")["failures_runs"].to_dict(),
    "best": comparison.table.set_index("loss")["may_be_best"].to_dict(),
    "lowest": [int(i) for i in divmod(plane.argmin(), plane.shape[1])],
    "shape": plane.shape,
    "center": float(plane[plane.shape[0] // 2, plane.shape[1] // 2]),
    "errors": [float(capped(jnp.array(0.0), target)) for target in (0, 1)],
    "pyplot": "matplotlib.pyplot" in sys.modules,
}, default=float))
"""


@pytest.fixture(scope="module")
def source():
    return nbformat.read(DOCS / "notebook.ipynb", as_version=4)


@pytest.fixture(scope="module")
def executed(source, tmp_path_factory):
    """The outputs by cell, and the facts."""
    book = nbformat.from_dict(source)
    book.cells.append(nbformat.v4.new_code_cell(FACTS, id="facts"))
    folder = str(tmp_path_factory.mktemp("notebook"))
    NotebookClient(book, timeout=600, resources={"metadata": {"path": folder}}).execute()
    outputs = {cell.id: cell.outputs for cell in book.cells if cell.cell_type == "code"}
    return outputs, json.loads(outputs["facts"][-1].text)


@pytest.mark.slow
def test_the_texts_of_the_notebook_are_true(executed):
    _, facts = executed
    assert facts["codes"] == ["G202"]
    assert facts["errors"] == pytest.approx([0.2, 0.2])  # at the probability 0.5
    assert facts["dead"]["capped"] > 0.5 and facts["dead"]["sigmoid_cross_entropy"] == 0
    assert facts["failures"]["capped"] >= 2 and facts["failures"]["sigmoid_cross_entropy"] == 0
    assert facts["best"] == {"capped": False, "sigmoid_cross_entropy": True}
    # A good model is the bottom of a basin: the center of the plane, far below the plateau.
    assert np.allclose(facts["lowest"], (np.array(facts["shape"]) - 1) / 2, atol=1)
    assert facts["center"] < 0.02
    assert not facts["pyplot"]


@pytest.mark.slow
def test_every_cell_shows_a_table_or_a_picture_and_no_script(executed):
    outputs, _ = executed
    shown = {name: [o for o in cell if "data" in o] for name, cell in outputs.items()}
    figures = {name for name, cell in shown.items() if any("image/png" in o.data for o in cell)}
    tables = {name for name, cell in shown.items() if any("text/html" in o.data for o in cell)}
    assert figures == {"audit-figure", "rates", "curves", "slices", "plane"}
    assert tables == {"audit", "compare", "traces"}
    for name in figures:
        (output,) = shown[name]
        picture = imread(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert picture.shape[1] > 1000 and picture[..., :3].std() > 0.03
        assert output.metadata["image/png"]["width"] == 672
    html = "".join(shown[name][0].data["text/html"] for name in ("audit", "compare"))
    assert "<script" not in html and "color" not in html
    assert re.search(r"<br>cell:\d+: return jnp\.minimum\(", html)


def test_the_notebook_is_stored_without_outputs(source):
    """So that its differences can be read; the site computes the outputs."""
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    assert len(code) == 10
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert source.metadata.kernelspec.name == "python3"


def test_the_links_of_the_notebook_lead_to_pages(source):
    links = re.findall(r"\]\((\w+\.md)\)", "".join(cell.source for cell in source.cells))
    assert len(links) == 3 and all((DOCS / link).is_file() for link in links)
