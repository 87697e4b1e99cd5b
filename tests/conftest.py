import atexit
import os
import shutil
import tempfile

os.environ.setdefault(
    "NPROC", "8"
)  # as in every process of a sweep, see landscape.numerics.compiling
os.environ.setdefault("RAY_worker_niceness", "0")  # or the other tests leave them no time
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # What is compiled serves all tests and the processes that they start, and ends with them.
    programs = tempfile.mkdtemp(prefix="landscape-tests-")
    atexit.register(shutil.rmtree, programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="module", autouse=True)
def programs_of_the_module():
    """What a module compiled is of no use to the next, and would fill gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def quick_fonts():
    """Letters in a pdf as outlines: to cut fonts down takes most of a report's time."""
    from landscape.report.figures import style

    own = style.SETTINGS["pdf.fonttype"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(style.SETTINGS, "pdf.fonttype", 3)
        yield own


def pytest_collection_modifyitems(items):
    """Slow tests first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
