"""What the page on losses of PyTorch and Keras shows is true."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.command_line import invoke

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

PAGE = (Path(__file__).parents[2] / "docs" / "torch_losses.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for code in blocks("python"):
        if named := re.match(r"# (\w+\.py)\n", code):
            (folder / named[1]).write_text(code)
    for number, text in enumerate(blocks("yaml")):
        (folder / f"{number}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("command", "".join(blocks("console")).splitlines())
def test_commands_run(command, folder):
    done = invoke(*command.split()[1:], cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    if command.endswith("WeightedEntropy --task binary"):
        (shown,) = blocks("text")
        assert done.stdout.split()[: len(shown.split()) - 1] == shown.split()[:-1]


@pytest.mark.parametrize("number", [0, 1])
def test_configs_hold_for_their_data(number, folder):
    done = invoke("validate", f"{number}.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_code_prints_what_its_comments_state(capsys):
    for code in blocks("python"):
        if not code.startswith("# "):
            exec(compile(code, "page", "exec", dont_inherit=True), {"__name__": "page"})
            stated = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
            assert capsys.readouterr().out.splitlines() == stated


AT = {  # by row of the table: a point, and the operation in torch and in JAX
    "norm": ([0.0, 0.0], torch.norm, jnp.linalg.norm),
    "clamp": ([0.0], lambda x: x.clamp(min=0).sum(), lambda x: jnp.clip(x, 0).sum()),
    "abs": ([0.0], lambda x: x.abs().sum(), lambda x: jnp.abs(x).sum()),
    "max": ([1.0, 1.0], lambda x: x.max(dim=0).values, lambda x: x.max(axis=0)),
    "hardtanh": (
        [1.0],
        lambda x: torch.nn.functional.hardtanh(x).sum(),
        lambda x: jax.nn.hard_tanh(x).sum(),
    ),
}


def test_the_table_of_slopes_is_that_of_torch_and_of_jax():
    rows = re.findall(r"^\| `(\w+)\(.* \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    rows = [row for row in rows if row[0] in AT]
    assert [name for name, *_ in rows] == list(AT)
    words = {"1 for the first": [1.0, 0.0], "shared": [0.5, 0.5]}
    for name, in_torch, in_jax in rows:
        point, torch_function, jax_function = AT[name]
        leaf = torch.tensor(point, requires_grad=True)
        torch_function(leaf).backward()
        gradients = leaf.grad.numpy(), jax.grad(jax_function)(jnp.array(point))
        for stated, gradient in zip((in_torch, in_jax), gradients, strict=True):
            expected = words.get(stated) or float(stated)
            np.testing.assert_array_equal(np.broadcast_to(expected, len(point)), gradient)
