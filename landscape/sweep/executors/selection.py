"""Selects the executor of a sweep and starts it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from landscape.config import Experiment
from landscape.errors import UserError, nearest
from landscape.sweep.executors.protocol import EXECUTORS, Executor, ExecutorSpec


def select_executor(
    experiment: Experiment, executor: str | None, jobs: int | None, address: str | None
) -> ExecutorSpec:
    """Returns the requested executor, or the simplest that can satisfy the config.

    Raises UserError if the options contradict each other or the config.
    """
    if executor not in (None, *EXECUTORS):
        raise UserError(
            f"there is no executor `{executor}`", hint=nearest(str(executor), EXECUTORS)
        )
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is {jobs}; at least 1 is needed")
    limits = experiment.execution
    limited = limits.time_limit is not None or limits.memory_limit is not None
    if executor is None:
        executor = "ray" if address else "processes" if limited or (jobs or 1) > 1 else "serial"
    if address and executor != "ray":
        raise UserError("--address requires --executor ray")
    if executor == "serial" and (jobs or 1) > 1:
        raise UserError(
            f"--executor serial has one job, found --jobs {jobs}", hint="use --executor processes"
        )
    if executor == "serial" and limited:
        raise UserError(
            "`execution`: --executor serial cannot enforce a time limit or a memory limit, because "
            "a process cannot stop its own runs",
            hint="omit --executor, or use --executor processes",
        )
    if executor == "ray":
        return ExecutorSpec("ray", jobs, address)
    if executor == "serial":
        return ExecutorSpec("serial", 1, None)
    return ExecutorSpec("processes", jobs or 1, None)


@contextlib.contextmanager
def running_executor(
    spec: ExecutorSpec, experiment: Experiment, directory: Path, *, separately: bool = False
) -> Iterator[Executor]:
    """Starts an executor and closes it at the end.

    `separately`: whether `serial` compiles each loss by itself, as it must after a loss has ended
    the process; workers do so as soon as one of them dies.
    """
    if spec.executor == "serial":
        from landscape.sweep.executors.serial import Serial

        yield Serial(experiment.seeds_together, separately)
        return
    from landscape.sweep.executors.pool import WorkerPool

    limits, together = experiment.execution, experiment.seeds_together
    if spec.executor == "processes":
        from landscape.sweep.executors import processes

        slots = processes.slots(spec.jobs or 1, limits.memory_limit, together)
        with contextlib.closing(WorkerPool(slots, limits.time_limit, limits.retries)) as pool:
            yield pool
        return
    from landscape.sweep.executors import ray

    with ray.cluster(
        spec.address, spec.jobs, limits.memory_limit, together, experiment.resources
    ) as actors:
        ray.check_shared(directory)
        with contextlib.closing(WorkerPool(actors, limits.time_limit, limits.retries)) as pool:
            yield pool
