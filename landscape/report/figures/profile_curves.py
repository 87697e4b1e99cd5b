"""Draws performance profiles: robustness over all conditions in one curve per loss."""

from collections.abc import Mapping

from matplotlib.ticker import FixedLocator

from landscape.report.compare_conditions import TAUS
from landscape.report.figures import panel_layout, style
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison


def profile_curves(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Picture | None:
    """Draws a rising curve per loss over the ratio of its time to that of the fastest loss."""
    profiles = comparison.profiles
    if profiles is None:
        return None
    handles = [
        style.legend_line(f"{styles[name].label} ({score:.2f})", **styles[name].marked())
        for name, score in zip(profiles.losses, profiles.scores, strict=True)
    ]
    figure, (panel,) = panel_layout.panels(
        1, 1, panel_layout.single_height(), legend=handles, max_width=5.5
    )
    for index, (name, shares) in enumerate(zip(profiles.losses, profiles.shares, strict=True)):
        loss_style = styles[name]
        panel.step(TAUS, shares, where="post", **loss_style.line())
        first = 5 + 7 * index % 40  # markers are shifted from loss to loss
        dots = {"linestyle": "none", "markevery": (first, 50)}
        panel.plot(TAUS, shares, **loss_style.marked(**dots))
    panel.set_xlim(1, TAUS[-1])
    panel.set_ylim(-0.03, 1.05)
    panel.xaxis.set_major_locator(FixedLocator([1, 1.5, 2, 2.5, 3, 3.5, 4]))
    panel.set_xlabel("time to the target / that of the fastest loss")
    panel.set_ylabel("share of conditions")
    caption = (
        f"Performance profiles over {len(profiles.conditions)} conditions (Dolan and More 2002): "
        "the share of conditions in which a loss reaches the target at most so many times later "
        "than the fastest loss. Times are expected running times at the tuned learning rate, with "
        "failed runs restarted; under a condition in which it never arrives, a loss does not "
        "count. In brackets, the mean height from 1 to 4, as in AlgoPerf. The profile of a loss "
        "depends on the losses that it is compared with."
    )
    alternative = "Share of conditions over the ratio to the fastest loss, a curve per loss."
    title = "Performance profiles"
    return Picture("profiles", title, caption, alternative, figure, "compare")
