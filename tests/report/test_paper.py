"""Figures and tables of a paper have their final size, and bad input has one clear message."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_compare
import synthetic_runs
from click.testing import CliRunner
from matplotlib import font_manager
from PIL import Image

from landscape.cli import main
from landscape.errors import UserError
from landscape.report import paper, paper_tables
from landscape.report.figures import appearance, rendering
from landscape.report.numbers import read_numbers

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = {"tuning_rates", "differences", "summary", "learning_curves"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Without conditions: reading their runs would take longest, and one test alone shows them."""
    setting = replace(synthetic_compare.SIX, axes={}, retuned=())
    return synthetic_compare.write(tmp_path_factory.mktemp("paper") / "x", setting)


@pytest.fixture(scope="module")
def numbers(compared):
    return read_numbers(compared)


@pytest.fixture(scope="module", autouse=True)
def read_once(compared, numbers):
    """Reads the comparison once for all tests: its intervals cost seconds."""

    def read(directory):
        return numbers if directory == compared else read_numbers(directory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "read_numbers", read)
        yield


@pytest.fixture(scope="module")
def written(compared, numbers):
    """Four figures of a paper in all formats."""
    few = [drawing for drawing in numbers.drawings() if drawing.name in WRITTEN]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(numbers), "drawings", lambda self: iter(few))
        return paper.build(compared, appearance.settings("paper", 3.25, "serif"))


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_figures_have_their_final_size_in_every_format(written):
    assert {*written.figures} == WRITTEN
    assert_final_size(written)


@pytest.mark.exhaustive  # the test above has four of the figures
def test_every_figure_has_its_final_size_in_every_format(tmp_path):
    directory = synthetic_compare.write(tmp_path / "x", synthetic_compare.SIX)
    written = paper.build(directory, appearance.settings("paper", 3.25, "serif"))
    assert {*written.figures} > WRITTEN | {"robustness"}
    assert_final_size(written)


def assert_final_size(written):
    assert written.undrawn == ()
    for name in written.figures:
        pdf = (written.directory / f"{name}.pdf").read_bytes()
        (box,) = re.findall(rb"/MediaBox \[([^\]]*)\]", pdf)
        assert float(box.split()[2]) == pytest.approx(3.25 * 72)
        with Image.open(written.directory / f"{name}.png") as image:
            assert image.width == 975 and np.allclose(image.info["dpi"], 300, atol=0.1)
        svg = (written.directory / f"{name}.svg").read_text()
        assert re.search(r'width="234(\.0*)?pt"', svg)


def test_texts_of_a_paper_have_8_points_in_its_font(numbers):
    settings = appearance.settings("paper", 3.25, "serif")
    with rendering.report_style(settings):
        drawing = next(d for d in numbers.drawings() if d.name == "learning_curves")
        picture = drawing.draw()
        texts = [text for text in picture.figure.findobj(match=_is_text) if text.get_text()]
        assert {text.get_fontsize() for text in texts} == {8.0}
        files = {font_manager.findfont(text.get_fontproperties()) for text in texts}
    assert all("STIXGeneral" in file for file in files)


def _is_text(artist):
    return hasattr(artist, "get_fontproperties")


def test_losses_of_a_figure_keep_their_colors(numbers):
    def colors(losses):
        drawings = paper._drawings(numbers, losses)
        with rendering.report_style():
            figure = next(d for d in drawings if d.name == "learning_curves").draw().figure
        (legend,) = figure.legends
        handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
        return {text.get_text(): handle.get_color() for text, handle in handles}

    chosen = colors(["focal", "brier"])
    assert [*chosen][:2] == ["focal", "brier"] and "hinge" not in chosen
    assert chosen.items() <= colors([]).items()


@pytest.mark.parametrize("columns", [None, ["loss", "metric", "rate", "verdict"]])
def test_only_losses_that_may_be_best_are_bold(numbers, columns):
    comparison = numbers.tuned.comparison
    table = paper_tables.latex(numbers, 6.75, columns)
    bold = re.findall(r"^\\textbf\{([^}$]*)", table.replace(r"\_\allowbreak{}", "_"), re.M)
    told_apart = comparison.record.complete and len(comparison.pairs.may_be_best) < 6
    assert sorted(bold) == (sorted(comparison.pairs.may_be_best) if told_apart else [])
    for loss in comparison.losses:
        if loss.failures.number and loss.entry.learns:
            assert f"{loss.failures.number} of {loss.failures.total} judged runs failed" in table


def test_a_comparison_as_configured_has_no_bold_loss(tmp_path):
    directory = synthetic_runs.write_experiment(tmp_path / "x", seeds=3, with_slices=False)
    table = paper_tables.latex(read_numbers(directory), 3.25)
    assert r"\textbf" not in table and r"accuracy \% {[}95" in table
    assert "2 of 3 runs diverged." in table or "1 of 3 runs diverged." in table


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("width", [3.25, 6.75])
def test_tables_compile_without_overfull_lines(numbers, tmp_path, width):
    table = paper_tables.latex(numbers, width)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,array}\\usepackage{mathptmx}"
        f"\\setlength{{\\textwidth}}{{{width}in}}\\setlength{{\\parindent}}{{0pt}}"
        f"\\begin{{document}}\n{table}\n\\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout, done.stdout[-2000:]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_sample_paper_has_no_overfull_box_and_embeds_its_fonts(written, tmp_path):
    shutil.copytree(written.directory, tmp_path / "paper")
    # The experiment of this test has no planes: another figure of the same width takes their place.
    shutil.copy(tmp_path / "paper" / "summary.pdf", tmp_path / "paper" / "contours.pdf")
    shutil.copy(DOCS / "sample_paper.tex", tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "sample_paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "sample_paper.log").read_text(encoding="latin-1")
    for problem in ("Overfull", "Font Warning", "Missing character", "not found"):
        assert problem not in log, log[log.index(problem) :][:300]
    if shutil.which("pdffonts"):
        command = ["pdffonts", "sample_paper.pdf"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        heading, _, *fonts = done.stdout.splitlines()
        place = heading.index("emb")
        assert fonts and {font[place : place + 3] for font in fonts} == {"yes"}


def test_columns_that_do_not_fit_are_an_error(numbers):
    every = ["loss", "metric", "success", "rate", "tolerance", "verdict"]
    with pytest.raises(UserError, match=r"need \d\.\d+ inches, and the width is 3\.25"):
        paper_tables.latex(numbers, 3.25, every)
    with pytest.raises(UserError, match="7 columns do not fit"):
        paper_tables.latex(numbers, 6.75, [*every, "steps"])
    with pytest.raises(UserError, match="there is no column `accuracy`"):
        paper_tables.latex(numbers, 6.75, ["loss", "accuracy"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--style", "papier"], "there is no style `papier`"),
        (["--style", "paper", "--font", "Tmes"], "there is no font `Tmes`"),
        (["--style", "paper", "--width", "1"], "figures cannot be 1 inches wide"),
        (["--width", "3"], "--width, --font and --columns are for papers"),
    ],
)
def test_a_bad_option_has_one_clear_message(compared, options, message):
    done = invoke("report", compared, *options)
    assert done.exit_code == 2 and done.stderr.count("error") == 1
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("contors", [], "has no figure `contors`"),
        ("contours", [], "has no figure `contours`"),
        ("summary", ["--losses", "focl"], "no finished run has the loss `focl`"),
    ],
)
def test_a_figure_that_is_missing_lists_those_that_exist(
    compared, tmp_path, name, options, message
):
    done = invoke("figure", compared, name, "--out", tmp_path / "x.pdf", *options)
    text = " ".join(done.stderr.split())
    assert done.exit_code == 2 and message in text
    assert "focal" in text if options else "summary" in text
    assert not (tmp_path / "x.pdf").exists()


def test_a_folder_without_runs_and_a_place_that_cannot_be_written(compared, tmp_path):
    done = invoke("figure", tmp_path, "summary", "--out", tmp_path / "x.pdf")
    assert done.exit_code == 2 and "Traceback" not in done.stderr
    (tmp_path / "file").write_text("")
    done = invoke("figure", compared, "summary", "--out", tmp_path / "file" / "x.pdf")
    assert done.exit_code != 0 and "Traceback" not in done.stderr and "x.pdf" in done.stderr


def test_a_style_file_sets_the_figure(compared, tmp_path):
    (tmp_path / "wide.mplstyle").write_text("figure.figsize: 5, 3\nfont.size: 9\n")
    out = tmp_path / "a.png"
    done = invoke(
        "figure", compared, "learning_curves", "--out", out, "--style", tmp_path / "wide.mplstyle"
    )
    assert done.exit_code == 0, done.stderr
    with Image.open(out) as image:
        assert image.width == 1500


def test_the_methods_name_the_settings(written):
    text = (written.directory / "methods.md").read_text()
    for setting in ("mlp", "digits", "adam", "200 steps", "3 tuning seeds", "cross_entropy"):
        assert setting in text
    assert "tuning seeds on the validation split" in text
    assert "judged on the test split" in text
