"""How every test runs: compiled fast, sharing compiled programs, promotions and warnings as errors.

What a test compiles runs once or twice, so compilation is most of its time. Tests whose subject is
compiled code restore the usual options: see `optimized_loops`.
"""

import atexit
import gc
import os
import shutil
import tempfile

# Processes that a test starts inherit these, and so compute the same bytes.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1",  # each part would repeat the work of LLVM's setup
)
os.environ.setdefault("LANDSCAPE_LOOP_OPTIMIZATION_LEVEL", "0")
os.environ.setdefault("NPROC", "2")  # threads per operation, see numerics/compiling.py
os.environ.setdefault("MKL_NUM_THREADS", "1")  # threads of torch: the other core runs other tests
os.environ.setdefault("RAY_worker_niceness", "0")  # otherwise the other tests starve its workers
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # Shared by all tests and the processes they start, and deleted when the session ends.
    programs = tempfile.mkdtemp(prefix="landscape-tests-")
    atexit.register(shutil.rmtree, programs, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")

import hypothesis
import jax
import psutil
import pytest
from helpers.blank_figures import blank_figures
from helpers.mlir_contexts import share_contexts

pytest_plugins = ["helpers.tiers"]

share_contexts()
# How fast a busy machine draws examples proves nothing.
_ANY_SPEED = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("same examples", _ANY_SPEED, derandomize=True)
hypothesis.settings.register_profile("new examples", _ANY_SPEED)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Tracing creates many objects that live long: the collector would visit them over and over.
gc.freeze()
gc.set_threshold(100_000, 20, 100)

# Compiled programs are kept for later modules until the process is larger than this.
MAX_RESIDENT_BYTES = 2.5e9


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Clears the compiled programs of finished modules when they fill the memory."""
    yield
    if psutil.Process().memory_info().rss > MAX_RESIDENT_BYTES:
        jax.clear_caches()


@pytest.fixture
def optimized_loops(monkeypatch):
    """Compiles loops as a user's process does, here and in the processes that the test starts."""
    from landscape.numerics import compiling

    # This process keeps the flags that it starts with, as in every other order of the tests.
    compiling.use_all_cores()
    jax.devices()
    monkeypatch.setenv("LANDSCAPE_LOOP_OPTIMIZATION_LEVEL", "1")
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.setitem(compiling._LOOP_OPTIONS, "xla_backend_optimization_level", 1)


@pytest.fixture(scope="session", autouse=True)
def outlined_fonts():
    """Makes reports cheap: fonts in PDF files as outlines, and no second process for each report.

    Subsetting fonts takes most of a report's time, and the other core runs other tests. Returns the
    setting of fonts that users get.
    """
    from landscape.report import figure_process
    from landscape.report.figures import style

    default = style.SETTINGS["pdf.fonttype"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(style.SETTINGS, "pdf.fonttype", 3)
        patch.setattr(figure_process, "_has_second_core", lambda: False)
        yield default


@pytest.fixture(scope="session", autouse=True)
def shared_signatures():
    """Traces one loss of the menu for all sweeps that have the same dataset and model."""
    from helpers.shared_signatures import share_signatures

    with pytest.MonkeyPatch.context() as patch:
        share_signatures(patch)
        yield


@pytest.fixture(scope="module")
def unrendered_figures():
    """Draws the figures of reports but renders none, which is most of a report's time.

    For modules that look at tables, texts and names of files. Figures are rendered in the tests of
    figures and of `report/test_report_build.py`, and by every command in a process of its own.
    """
    with blank_figures():
        yield


def pytest_configure(config):
    """Draws the same examples in every run of the first tier, and new ones where both tiers run."""
    examples = "new examples" if config.option.exhaustive else "same examples"
    hypothesis.settings.load_profile(examples)


def pytest_collection_modifyitems(items):
    """Runs modules with slow tests first, so that no worker is left alone with them at the end.

    The tests of a module stay together: its fixtures are built once.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
