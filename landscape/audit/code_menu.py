"""Lists the codes that an audit can report: the modules of the folder `codes`, one per code."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path

from landscape.audit.findings import Finding
from landscape.audit.measure.survey import Survey

_FOLDER = Path(__file__).parent / "codes"


@functools.cache
def finders() -> dict[str, Callable[[Survey], list[Finding]]]:
    """Returns the function `find` of each code, in the order of their names."""
    names = sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))
    modules = {name: importlib.import_module(f"landscape.audit.codes.{name}") for name in names}
    return {name.partition("_")[0].upper(): module.find for name, module in modules.items()}
