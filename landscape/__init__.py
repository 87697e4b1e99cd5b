"""Which losses can be trained, and why the others cannot.

From a notebook or a script:

    from landscape import load, run
    sweep = run(load("configs/quickstart.yaml", "seeds=2"))
    sweep.comparison
"""

from typing import TYPE_CHECKING, Any

# Importing the folder `run/` binds it to the name of the function `run`, once. It happens here, so
# that no later import hides the function.
import landscape.run as _run_folder

__version__ = "0.1.0"
__all__ = ["UserError", "load", "results", "run"]

if TYPE_CHECKING:
    from landscape.api import load, results, run
    from landscape.errors import UserError


del globals()["run"]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use, since most commands need few of them."""
    if name == "UserError":
        from landscape.errors import UserError

        return UserError
    if name in __all__:
        from landscape import api

        return getattr(api, name)
    raise AttributeError(f"module `landscape` has no attribute `{name}`")
