import pytest
from helpers.blank_figures import blank_figures
from helpers.misbehaving_sweep import run_sweep, write_config

from landscape.report.assemble import build

FEW = ("losses=[{name: focal, gamma: 1.5}, brier]", "seeds=1", "steps=10", "record_every=5")


@pytest.fixture(scope="package")
def directory(tmp_path_factory):
    """Two finished runs and their report."""
    path = write_config(tmp_path_factory.mktemp("export"))
    _, directory = run_sweep(path, *FEW, executor="serial")
    with blank_figures():
        build(directory)
    return directory
