import pytest
from helpers.blank_figures import blank_figures, rendered_figures
from synthetic_runs import LOSSES, Loss, write_experiment

from landscape.report.assemble import build

# Curves, bars, bands, filled contours, a surface, and maps.
RENDERED = (
    "summary",
    "learning_curves",
    "slices_risk",
    "surfaces",
    "contours_eigenvector_random",
    "interpolations_seeds",
)

# Marks of HTML, Markdown, LaTeX and mathematics in one name.
NASTY = Loss("bad_<b>|&$x$%", fails=(0, 1, 2, 3, 4, 5))


@pytest.fixture(scope="package")
def experiment(tmp_path_factory):
    """Five losses and one that always fails, six seeds, with slices; figures are blank."""
    directory = write_experiment(tmp_path_factory.mktemp("made up") / "many", (*LOSSES, NASTY))
    with blank_figures():
        return directory, build(directory)


@pytest.fixture(scope="package")
def rendered(tmp_path_factory):
    """Two losses and one that always fails, two seeds, with slices; `RENDERED` are its figures."""
    losses = (*LOSSES[:2], NASTY)
    directory = write_experiment(tmp_path_factory.mktemp("made up") / "few", losses, 2)
    with rendered_figures(*RENDERED):
        return directory, build(directory)
