"""A row of the comparison from plain numbers, by the names of its columns in csv."""

import math

from landscape.compare.intervals import Estimate
from landscape.report.best_step import BestStep
from landscape.report.comparison_row import Row
from landscape.report.loss_rows import Gain, Gradients, LossRow, RunStates, SliceShape, Target
from landscape.report.pair_tests import JointResult, Pair
from landscape.report.results import RateGrid
from landscape.report.statistics import SeedEstimate, Share

NAN = math.nan
# A loss that learns in six runs, alone.
LEARNER = {
    "metric": "accuracy",
    "higher_is_better": True,
    "value": 0.95,
    "start": 0.1,
    "learns": True,
    "target": 0.9,
    "reached_runs": 6,
    "steps_to_target": 140.0,
    "expected_steps": 150.0,
    "seeds": 6,
    "runs": 6,
    "failures": 0,
    "diverged": 0.0,
    "diverged_step": NAN,
    "failed": 0,
    "unreadable": 0,
    "unfinished": 0,
    "zero_runs": 0,
    "zero_gradient": 0.0,
    "vanishing": 0.0,
    "exploding": 0.0,
    "dead_examples": 0.0,
    "dead_units": 0.0,
    "best_step": 100.0,
    "lost_after_best": NAN,
    "lost_low": NAN,
    "margin": 0.01,
    "learning_rate": 0.001,
    "rates": (0.001,),
    "rate_learns": True,
    "reference": "b",
    "reference_failures": 0,
    "pairs": 6,
    "difference": NAN,
    "p_value": NAN,
    "verdict": "",
    "may_be_best": False,
    "rivals": (),
    "compared": 1,
    "top": False,
}


def comparison_row(**changes):
    """The row of `LEARNER` with other numbers."""
    v = LEARNER | changes
    empty = Estimate(NAN, NAN, NAN)
    pair = Pair("a", v["reference"], v["pairs"], v["difference"], NAN, NAN, v["p_value"], "", empty)
    return Row(
        runs=LossRow("a", "a", {}, "", v["metric"], v["higher_is_better"], (), (), ()),
        estimate=SeedEstimate(v["value"], NAN, NAN, v["seeds"], NAN, NAN),
        start=v["start"],
        states=RunStates(
            v["runs"],
            v["diverged"],
            v["diverged_step"],
            v["failed"],
            v["unreadable"],
            v["unfinished"],
        ),
        gradients=Gradients(
            NAN, NAN, v["zero_gradient"], v["vanishing"], v["exploding"], v["zero_runs"]
        ),
        dead={"examples": v["dead_examples"], "units": v["dead_units"]},
        slice=SliceShape(NAN, NAN),
        gain=Gain(v["reference"], NAN, v["learns"], Share(v["failures"], v["runs"]), Share(0, 0)),
        target=Target(
            v["target"],
            Share(v["reached_runs"], v["runs"]),
            v["steps_to_target"],
            v["expected_steps"],
        ),
        best_step=BestStep(v["best_step"], Estimate(v["lost_after_best"], v["lost_low"], NAN)),
        joint=JointResult(
            pair._replace(verdict=v["verdict"]) if v["verdict"] else None,
            v["reference_failures"],
            v["runs"],
            v["may_be_best"],
            v["rivals"],
            v["compared"],
            v["top"],
        ),
        margin=v["margin"],
        rate=v["learning_rate"],
        rates=RateGrid(v["rates"], v["rate_learns"]),
    )
