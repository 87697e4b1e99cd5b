"""The API for notebooks and scripts: state an experiment, run or compare it, read its results."""

from landscape.api.audit_results import AuditResult, audit
from landscape.api.look_results import Look
from landscape.api.looking import look
from landscape.api.performing_experiments import compare, load, run
from landscape.api.python_experiment import PythonExperiment as Experiment
from landscape.api.sweep_results import Comparison, Sweep, results

__all__ = [
    "AuditResult",
    "Comparison",
    "Experiment",
    "Look",
    "Sweep",
    "audit",
    "compare",
    "load",
    "look",
    "results",
    "run",
]
