"""The snippets about adapters on docs/own_model.md run, and print what the page says."""

import contextlib
import re
from pathlib import Path

import numpy as np
import one_cnn
import pytest

from landscape import adapters

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"


class Net(one_cnn.LinenNet):
    """The network of the page."""


def snippets(uses_torch):
    section = PAGE.read_text().partition("\n## Adapters\n")[2].partition("\n## ")[0]
    codes = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return [code for code in codes if ("torch" in code) == uses_torch]


FEW = 'slices={"lines": {"points": 3, "directions": 2}, "planes": None},'


@pytest.mark.slow
def test_the_snippets_run_one_after_the_other(capsys, tmp_path):
    names = {"net": Net(), "variables": one_cnn.linen_variables(), "images": one_cnn.IMAGES}
    names["labels"] = np.eye(one_cnn.CLASSES, dtype=np.float32)[one_cnn.LABELS]
    with contextlib.chdir(tmp_path):
        for code in snippets(uses_torch=False):
            exec(code.replace('task="multiclass",', f'task="multiclass", {FEW}'), names)
            if "predictions" in code:
                recomputed = "recomputed" in code
                expected = one_cnn.in_numpy(one_cnn.WEIGHTS, one_cnn.IMAGES, recomputed)
                np.testing.assert_allclose(names["predictions"], expected, rtol=1e-4, atol=1e-5)
            if shown := re.search(r"print\(.*\)  # (.*)", code):
                assert capsys.readouterr().out.strip() == shown[1]
        assert names["look"].table["status"].tolist() == ["looked"]
    assert names["adapted"].filter_axes["Conv_0"] == {"kernel": 3, "bias": None}


def test_the_snippet_about_torch_runs():
    torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU(), torch.nn.Flatten())
    images = torch.randn(9, 2, 4, 4)
    names = {"module": module, "torch_images": images, "adapters": adapters}
    (code,) = snippets(uses_torch=True)
    exec(code, names)
    expected = module(images).detach().numpy()
    np.testing.assert_allclose(names["predictions"], expected, rtol=1e-5, atol=1e-6)
