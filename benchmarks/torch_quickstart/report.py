"""The report: tables, figures, and a self-contained page."""

import base64
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from figures import STYLE, figures, interactive_surfaces
from matplotlib import pyplot as plt
from problem import SEEDS, Groups
from scipy import stats
from tables import check_table, compare, rounded, run_table, series, write

TITLE = "Five losses on handwritten digits"


def report(groups: Groups, folder: Path) -> pd.DataFrame:
    """Writes the report and returns the rounded comparison."""
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    results = run_table(groups)
    results.to_csv(folder / "results.csv", index=False)
    results.to_parquet(folder / "results.parquet", index=False)
    comparison, checks = compare(results), check_table(groups)
    write(comparison, folder / "tables" / "comparison")
    write(checks, folder / "tables" / "checks")
    text = rounded(comparison)
    page = [f"<!doctype html><meta charset='utf-8'><title>{TITLE}</title><h1>{TITLE}</h1>"]
    page.append(text.to_html(index=False))
    typical = typical_runs(groups)
    with mpl.rc_context(STYLE):
        for name, figure in figures(groups, typical, results["target"].iloc[0]):
            path = folder / "figures" / f"{name}.png"
            figure.savefig(path, dpi=150)
            figure.savefig(path.with_suffix(".pdf"))
            plt.close(figure)
            picture = base64.b64encode(path.read_bytes()).decode()
            page.append(f"<h2>{name}</h2><img src='data:image/png;base64,{picture}'>")
    page += ["<h2>Interactive surfaces</h2>", interactive_surfaces(typical)]
    page.append(checks.to_html(index=False))
    (folder / "index.html").write_text("\n".join(page))
    return text


def typical_runs(groups: Groups) -> Groups:
    """Returns the runs of the seed whose accuracies rank nearest the median of each loss."""
    ranks = [stats.rankdata(series(runs, "accuracy")[:, -1]) for runs in groups.values()]
    seed = np.abs(np.array(ranks) - (SEEDS + 1) / 2).sum(0).argmin()
    return {loss: [runs[seed]] for loss, runs in groups.items()}
