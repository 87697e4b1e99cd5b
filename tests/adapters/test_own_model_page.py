"""The snippets about adapters on docs/own_model.md run, and print what the page says."""

import re
from pathlib import Path

import numpy as np
import one_cnn

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"


class Net(one_cnn.LinenNet):
    """The network of the page."""


def snippets():
    section = PAGE.read_text().partition("\n## Adapters\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_snippets_run_one_after_the_other(capsys):
    names = {"net": Net(), "variables": one_cnn.linen_variables(), "images": one_cnn.IMAGES}
    for code in snippets():
        exec(code, names)
        if "predictions" in code:
            recomputed = "recomputed" in code
            expected = one_cnn.in_numpy(one_cnn.WEIGHTS, one_cnn.IMAGES, recomputed)
            np.testing.assert_allclose(names["predictions"], expected, rtol=1e-4, atol=1e-5)
        if shown := re.search(r"print\(.*\)  # (.*)", code):
            assert capsys.readouterr().out.strip() == shown[1]
    assert names["adapted"].filter_axes["Conv_0"] == {"kernel": 3, "bias": None}
