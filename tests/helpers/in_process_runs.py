"""Sweeps in this process, for tests of the results of runs."""

from landscape.run.plan import plan
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.executors.serial import perform_all


def ended_runs(runs, out, cache, together=1):
    """Yields the event of each run that ends: the run, its status, its seconds."""
    events = perform_all(runs, out, cache, together)
    return (event for event in events if isinstance(event, Ended))


def planned_actions(runs, out, *, retry_failed=False):
    """Returns the planned action of each run by id."""
    plans = plan(runs, out, fresh=False, retry_failed=retry_failed)
    return {run_id: planned.action for run_id, planned in plans.items()}
