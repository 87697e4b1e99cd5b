"""What the command `audit` audits: losses by name, and the examples of an experiment."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from landscape.errors import UserError

if TYPE_CHECKING:
    from landscape.audit.by_name import AuditOutcome


class Selection(NamedTuple):
    """What the arguments name, in their order: functions, and modules that cannot be imported."""

    names: list[str]
    skipped: list[str]
    failures: "list[AuditOutcome]"

    @property
    def functions(self) -> list[str]:
        failed = {failure.loss for failure in self.failures}
        return [name for name in self.names if name not in failed]


def select_losses(losses: Sequence[str], kind: str, options: Collection[str]) -> Selection:
    """Returns the names to audit; a module stands for its functions."""
    from landscape.audit.by_name import AuditOutcome
    from landscape.audit.module_functions import is_module, module_functions

    selection = Selection([], [], [])
    for loss in losses:
        if not is_module(loss):
            selection.names.append(loss)
            continue
        try:
            functions = module_functions(loss, kind, options, Path.cwd())
        except UserError as error:
            selection.names.append(loss)
            selection.failures.append(AuditOutcome(loss, None, error))
        else:
            selection.names.extend(functions.names)
            selection.skipped.extend(functions.skipped)
    return selection


def examples_of(config: Path, task: str | None, example: Path | None) -> tuple[str, str]:
    """Returns the task of an experiment and a file with a batch of it, deleted at the end."""
    import atexit
    import tempfile

    import numpy as np

    from landscape import config as configs
    from landscape.run import preflight
    from landscape.run.audited_batch import audited_batch
    from landscape.run.program_cache import ProgramCache

    if example is not None:
        raise UserError("--data and --example both state the examples", hint="leave out one")
    run, cache = configs.expand(configs.load(config))[0], ProgramCache()
    data = cache.dataset(run)
    arrays = audited_batch(run, data, cache.model(run))
    folder = tempfile.TemporaryDirectory(prefix="landscape-")
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "example.npz"
    np.savez(file, **cast(Any, arrays))
    return task or preflight.build_task(run, data).name, str(file)
