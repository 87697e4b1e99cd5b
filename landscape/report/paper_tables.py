"""LaTeX tables that fit a column of a paper, and a paragraph on the methods."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from landscape.errors import UserError, nearest
from landscape.report import escapes, words
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_tables import verdict_text
from landscape.report.compare_text import difference_text, rate
from landscape.report.number_texts import count_text, metric_text, tolerance_text
from landscape.report.numbers import ReportNumbers
from landscape.report.statistics import Share
from landscape.report.tuned_comparison import TunedComparison

MOST_COLUMNS = 6
# LaTeX's \footnotesize in a document of 10 pt, and the space on each side of a column.
_POINTS, _SEPARATION = 8, 3.0
_POINTS_PER_INCH = 72.27
_NARROWEST_NAME = 0.75  # inches
_DEFAULT = ("loss", "metric", "success", "rate", "tolerance")
_DEFAULT_AS_CONFIGURED = ("loss", "metric", "seeds", "learns", "diverged")


class _Row(NamedTuple):
    """The texts of a loss by column, whether it may be best, and what a footnote explains."""

    texts: dict[str, str]
    bold: bool
    note: str


def latex(numbers: ReportNumbers, width: float, columns: Sequence[str] | None = None) -> str:
    r"""Returns a booktabs `tabular` of the losses at most `width` inches wide, in 8 pt.

    The losses that may be best are bold if a complete comparison at tuned points tells them from
    others. By default, columns that do not fit are left out. Raises UserError for a column that
    does not exist, for more than six, and if the named ones do not fit.
    """
    heads, rows = _tuned(numbers.tuned.comparison) if numbers.tuned else _as_configured(numbers)
    default = _DEFAULT if numbers.tuned else _DEFAULT_AS_CONFIGURED
    chosen = list(default if columns is None else columns)
    for name in chosen:
        if name not in heads:
            raise UserError(
                f"there is no column `{name}`", hint=f"{nearest(name, heads)}: {', '.join(heads)}"
            )
    if len(chosen) > MOST_COLUMNS:
        raise UserError(
            f"{len(chosen)} columns do not fit into a table of a paper",
            hint=f"choose at most {MOST_COLUMNS} with --columns",
        )
    while columns is None and len(chosen) > 2 and _needed(heads, rows, chosen) > width:
        chosen.pop()
    needed = _needed(heads, rows, chosen)
    if needed > width:
        raise UserError(
            f"the columns {', '.join(chosen)} need {needed:.2f} inches, and the width is {width:g}",
            hint="choose fewer with --columns, or a larger --width",
        )
    return _tabular(heads, rows, chosen, width)


def text_width(text: str) -> float:
    """Returns the width in inches of a text in 8 pt, in a font with the metrics of Times."""
    font = FontProperties(family="STIXGeneral", size=_POINTS)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width / 72)


def _natural(heads: dict[str, str], rows: Sequence[_Row], name: str) -> float:
    texts = [heads[name], *(row.texts[name] for row in rows)]
    return 1.04 * max(map(text_width, texts))  # bold digits are wider


def _needed(heads: dict[str, str], rows: Sequence[_Row], columns: Sequence[str]) -> float:
    """Returns the width in inches if the names of the losses are broken as much as allowed."""
    gaps = 2 * _SEPARATION * (len(columns) - 1) / _POINTS_PER_INCH
    widths = [_natural(heads, rows, name) for name in columns]
    if "loss" in columns:
        place = columns.index("loss")
        widths[place] = min(widths[place], _NARROWEST_NAME)
    return sum(widths) + gaps


def _tabular(
    heads: dict[str, str], rows: Sequence[_Row], columns: Sequence[str], width: float
) -> str:
    formats = dict.fromkeys(columns, "r")
    if "loss" in columns:
        free = width - _needed(heads, rows, columns) + _NARROWEST_NAME
        name_width = min(_natural(heads, rows, "loss") + 0.1, max(free, _NARROWEST_NAME))
        formats["loss"] = rf">{{\raggedright\arraybackslash}}p{{{name_width:.2f}in}}"
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    lines = [
        r"% needs \usepackage{booktabs,array}",
        rf"{{\fontsize{{{_POINTS}}}{{9.5}}\selectfont\setlength{{\tabcolsep}}{{{_SEPARATION:g}pt}}",
        rf"\begin{{tabular}}{{@{{}}{''.join(formats.values())}@{{}}}}",
        r"\toprule",
        " & ".join(escapes.latex(heads[name]) for name in columns) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        cells = [_cell(row, name, notes) for name in columns]
        lines.append(" & ".join(cells) + r" \\")
    lines.append(r"\bottomrule")
    for index, note in enumerate(notes):
        place = rf"\multicolumn{{{len(columns)}}}{{@{{}}p{{{width:.2f}in}}@{{}}}}"
        lines.append(rf"{place}{{$^{{{_letter(index)}}}$ {escapes.latex(note)}}} \\")
    return "\n".join([*lines, r"\end{tabular}}", ""])


def _cell(row: _Row, name: str, notes: Sequence[str]) -> str:
    text = escapes.latex(row.texts[name])
    if name == "loss":
        text = text.replace(r"\_", r"\_\allowbreak{}")
        if row.note:
            text += rf"$^{{{_letter(notes.index(row.note))}}}$"
    return rf"\textbf{{{text}}}" if row.bold and name in ("loss", "metric") else text


def _letter(index: int) -> str:
    return chr(ord("a") + index % 26)


def _tuned(comparison: TunedComparison) -> tuple[dict[str, str], list[_Row]]:
    metric = comparison.metric
    unit = "%" if words.is_share(metric) else ""
    cells: dict[str, tuple[str, Callable[[LossMeasures], str]]] = {
        "loss": ("loss", lambda loss: loss.name),
        "metric": (
            f"{words.metric_label(metric)} {unit} [95 % CI]".replace("  ", " "),
            lambda loss: metric_text(metric, loss.estimate.interval),
        ),
        "success": ("success", lambda loss: count_text(loss.success)),
        "rate": ("learning rate", lambda loss: rate(loss.entry.tuned_rate)),
        "tolerance": (
            "tolerance (decades)",
            lambda loss: tolerance_text(loss.curve.tolerance).split(" [")[0],
        ),
        "verdict": ("verdict", lambda loss: verdict_text(comparison, loss)),
        "best1": (
            f"best of 1 {unit}".strip(),
            lambda loss: words.table_number(metric, loss.best_of[0]),
        ),
        "best8": (
            f"best of 8 {unit}".strip(),
            lambda loss: words.table_number(metric, loss.best_of[-1]),
        ),
        "steps": ("steps per success", lambda loss: words.short(loss.running_time)),
        "trials": ("trials", lambda loss: str(len(loss.entry.trials))),
    }
    best = comparison.pairs.may_be_best
    told_apart = comparison.record.complete and 0 < len(best) < len(comparison.judged)
    rows = [
        _Row(
            {name: text(loss) for name, (_, text) in cells.items()},
            told_apart and loss.name in best,
            _failures(loss),
        )
        for loss in comparison.losses
    ]
    return {name: head for name, (head, _) in cells.items()}, rows


def _failures(loss: LossMeasures) -> str:
    if loss.entry.problem:
        return f"Not judged: {loss.entry.problem}."
    if not loss.entry.learns:
        return "Does not learn at any learning rate of its grid."
    if loss.failures.number:
        return f"{loss.failures.number} of {loss.failures.total} judged runs failed."
    return ""


def _as_configured(numbers: ReportNumbers) -> tuple[dict[str, str], list[_Row]]:
    metric = numbers.results.metric
    unit = "% " if words.is_share(metric) else ""
    heads = {
        "loss": "loss",
        "metric": f"{words.metric_label(metric)} {unit}[95 % CI]",
        "seeds": "seeds",
        "learns": "learns",
        "diverged": "diverged",
    }
    rows = []
    for row in numbers.shown:
        runs = row.runs.counted
        diverged = Share(sum(run.status == "diverged" for run in runs), len(runs))
        texts = {
            "loss": row.name,
            "metric": metric_text(metric, row.estimate.interval),
            "seeds": words.count(row.estimate.seeds),
            "learns": "yes" if row.gain.learns else "no",
            "diverged": count_text(diverged),
        }
        number = diverged.number
        note = f"{number} of {diverged.total} runs diverged." if number else ""
        rows.append(_Row(texts, False, note))
    return heads, rows


def methods(numbers: ReportNumbers) -> str:
    """Returns a paragraph on the methods, filled in with the settings of the experiment."""
    run = next((run for run in numbers.results.runs if run.config is not None), None)
    if run is None or run.config is None:
        return "No run has a config."
    config = run.config
    metric = words.metric_label(numbers.results.metric)
    seeds = len({run.seed for run in numbers.results.runs})
    losses = words.listed(numbers.results.losses)
    sentences = [
        f"We trained {config.model.name} on {config.dataset.name} with {config.optimizer.name} for "
        f"{config.steps} steps with batches of {config.batch_size} examples, once per seed "
        f"({seeds} seeds) with each of these losses: {losses}.",
        "All losses of a seed share initial parameters and the order of the data.",
        f"Losses are compared by {metric}, not by their own values, whose units differ.",
    ]
    if numbers.tuned:
        record = numbers.tuned.comparison.record
        trials = max(len(loss.trials) for loss in record.losses)
        sentences += [
            f"The learning rate and options of each loss were chosen from up to {trials} trials "
            f"over {len(record.tuning_seeds)} tuning seeds on the {numbers.tuned.comparison.split} "
            "split; each loss was then judged on the test split over "
            f"{len(record.judging_seeds)} other seeds.",
            "Differences were tested jointly by flipping the signs of whole seeds; intervals hold "
            "simultaneously for all pairs of losses. Losses whose interval of the difference to "
            f"{record.reference} lies within {difference_text(record.metric, record.margin)} are "
            "called equivalent.",
        ]
    version = run.meta.versions.get("landscape", "")
    sentences.append(f"The experiments were made with landscape {version}".strip() + ".")
    return " ".join(sentences)
