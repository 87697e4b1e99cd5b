"""What the trace of a recorded training loop shows, in sentences, by fixed rules."""

import numpy as np

from landscape.report import words
from landscape.report.sentences import (
    MENTION_DEAD_EXAMPLES,
    MENTION_DEAD_UNITS,
    MENTION_STEPS,
)
from landscape.report.stored_run import StoredRun
from landscape.storage.recording_records import RecordingRecord

_NORM, _LAYER = "gradient_norm/global", "gradient_norm/layer/"
_MOST_LAYERS = 4  # named in a sentence
# A factor between the gradient norms of two layers that a sentence mentions.
_FAR_APART = 1e4


def sentences(record: RecordingRecord, run: StoredRun, closed: bool) -> list[str]:
    """Returns the state of the loop, what was found, and what was not found."""
    problems = [
        _diverged(record),
        _not_finite(record, run),
        _zero(run),
        _untouched_layers(run),
        _uneven_layers(run),
        _dead(run),
        *_steps(record, run),
    ]
    problems = [text for text in problems if text]
    if not problems:
        problems = ["Every recorded gradient is finite and not zero."]
    return [_state(record, closed, int(run.column("step")[-1])), *problems]


def _state(record: RecordingRecord, closed: bool, last: int) -> str:
    if not closed:
        return f"Not closed: under way, or interrupted after the record of step {last}."
    if record.ended_by:
        return f"Ended by {record.ended_by} after {record.steps} steps."
    return f"Ended after {record.steps} steps."


def _diverged(record: RecordingRecord) -> str:
    if record.diverged_step is None:
        return ""
    if record.framework == "torch":
        when = f"recorded step {record.diverged_step}"
        return f"Diverged: from {when} on, the risk or the gradient is not finite."
    return f"Diverged: from step {record.diverged_step} on, the gradient is not finite."


def _not_finite(record: RecordingRecord, run: StoredRun) -> str:
    """Returns the records before a divergence whose gradient is not finite."""
    norms, steps = run.column(_NORM), run.column("step")
    before = steps < (np.inf if record.diverged_step is None else record.diverged_step)
    passed = before & ~np.isnan(run.column("risk/batch"))
    count = int((~np.isfinite(norms) & passed).sum())
    if not count:
        return ""
    return f"{count} of {len(steps)} records have a gradient that is not finite."


def _zero(run: StoredRun) -> str:
    count = int((run.column(_NORM) == 0).sum())
    if not count:
        return ""
    return f"The gradient is exactly zero in {count} of {len(run.trace)} records."


def _untouched_layers(run: StoredRun) -> str:
    """Returns the layers without a gradient in every record, if there is one in others."""
    norms = run.column(_NORM)
    some = norms > 0
    layers = [name for name in run.trace if name.startswith(_LAYER)]
    dead = [name.removeprefix(_LAYER) for name in layers if (run.column(name)[some] == 0).all()]
    if not some.any() or not dead:
        return ""
    more = f" and {len(dead) - _MOST_LAYERS} more" if len(dead) > _MOST_LAYERS else ""
    named = words.listed(dead[:_MOST_LAYERS]) if not more else ", ".join(dead[:_MOST_LAYERS])
    return f"No gradient reaches {named}{more}."


def _uneven_layers(run: StoredRun) -> str:
    """Returns the layers with the smallest and the largest gradient if they are far apart."""
    medians = {}
    for name in (name for name in run.trace if name.startswith(_LAYER)):
        values = run.column(name)
        values = values[np.isfinite(values) & (values > 0)]
        if len(values):
            medians[name.removeprefix(_LAYER)] = float(np.median(values))
    if not medians:
        return ""
    low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    factor = medians[high] / medians[low]
    if factor < _FAR_APART:
        return ""
    return (
        f"The gradient norm of {low} is {words.scientific(medians[low])} in the median, that of "
        f"{high} {words.scientific(medians[high])}: a factor of {words.scientific(factor)}."
    )


def _dead(run: StoredRun) -> str:
    shares = [
        (run.last("dead/examples"), MENTION_DEAD_EXAMPLES, "of the examples"),
        (run.last("dead/units"), MENTION_DEAD_UNITS, "of the units"),
    ]
    texts = [f"{words.percentage(share)} {what}" for share, least, what in shares if share >= least]
    return f"In the last record, {words.listed(texts)} have no gradient." if texts else ""


def _steps(record: RecordingRecord, run: StoredRun) -> list[str]:
    kinds = {"vanishing": "vanishes but is not zero", "exploding": "explodes"}
    kinds["dead"] = "is exactly zero"
    texts = []
    for name, verb in kinds.items():
        if f"steps/{name}" in run.trace:
            count, steps = run.last(f"steps/{name}"), run.column("step")[-1]
            if steps and count >= MENTION_STEPS * steps:
                texts.append(f"The gradient {verb} in {count:.0f} of the first {steps:.0f} steps.")
    return texts
