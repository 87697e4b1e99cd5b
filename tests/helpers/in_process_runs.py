"""Sweeps in this process, for tests of what runs leave."""

from landscape.run.plan import plan
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.executors.serial import perform_all


def ended_runs(runs, out, cache, together=1):
    """What became of each run, as it ends: the run, its status, its seconds."""
    events = perform_all(runs, out, cache, together)
    return (event for event in events if isinstance(event, Ended))


def planned_actions(runs, out, *, retry_failed=False):
    """What is to be done with each run, by id."""
    plans = plan(runs, out, fresh=False, retry_failed=retry_failed)
    return {run_id: planned.action for run_id, planned in plans.items()}
