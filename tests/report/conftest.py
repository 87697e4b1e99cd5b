import pytest
from synthetic_runs import LOSSES, Loss, write_experiment

from landscape.report.assemble import build
from landscape.report.figures import rendering

# The first module to need the report may be one with `unrendered_figures`.
RENDER = rendering._saved

# Marks of HTML, Markdown, LaTeX and mathematics in one name.
NASTY = Loss("bad_<b>|&$x$%", fails=(0, 1, 2, 3, 4, 5))


@pytest.fixture(scope="package")
def experiment(tmp_path_factory):
    """Five losses and one that always fails, six seeds, with slices; the report built once."""
    directory = write_experiment(tmp_path_factory.mktemp("made up") / "many", (*LOSSES, NASTY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "_saved", RENDER)
        return directory, build(directory)
