import pytest
from helpers.blank_figures import blank_figures
from synthetic_runs import LOSSES, Loss, write_experiment

from landscape.report import page_images
from landscape.report.assemble import build
from landscape.report.figures import rendering

# The first module to need the rendered report may be one with `unrendered_figures`.
RENDER, RENDER_FOR_PHONES = rendering._saved, page_images.phone_image

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
    """Two losses and one that always fails, two seeds, with slices; figures are rendered."""
    losses = (*LOSSES[:2], NASTY)
    directory = write_experiment(tmp_path_factory.mktemp("made up") / "few", losses, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "_saved", RENDER)
        patch.setattr(page_images, "phone_image", RENDER_FOR_PHONES)
        return directory, build(directory)
