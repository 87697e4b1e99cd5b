"""Sweeps in this process, for tests of what runs leave."""

from landscape.sweep import carry_out
from landscape.sweep.executors.events import Ended
from landscape.sweep.executors.serial import perform_all


def ended_runs(runs, out, workshop, together=1):
    """What became of each run, as it ends: the run, its status, its seconds."""
    told = perform_all(runs, out, workshop, together)
    return (event for event in told if isinstance(event, Ended))


def planned_actions(runs, out, *, retry_failed=False):
    """What is to be done with each run, by id."""
    plan = carry_out.plan(runs, out, fresh=False, retry_failed=retry_failed)
    return {run_id: planned.action for run_id, planned in plan.items()}
