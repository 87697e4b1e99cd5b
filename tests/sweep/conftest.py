"""How the tests of sweeps run: their loops are compiled as in a user's process."""

import contextlib

import pytest
from helpers.misbehaving_sweep import result_bytes, run_sweep, statuses, write_config

from landscape.numerics import compiling


@contextlib.contextmanager
def loops_of_users():
    """Compiles loops at the level of a user's process, here and in the workers.

    At level 0 the last bits of a sum depend on the number of cores that a process may use.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDSCAPE_LOOP_OPTIMIZATION_LEVEL", "1")
        patch.setitem(compiling._LOOP_OPTIONS, "xla_backend_optimization_level", 1)
        yield


@pytest.fixture(scope="module", autouse=True)
def loops_as_users_compile_them():
    """Compiles loops as users do for the tests of one module, since the others do not."""
    with loops_of_users():
        yield


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The bytes of every result of the sweep in which nothing goes wrong."""
    path = write_config(tmp_path_factory.mktemp("undisturbed"))
    with loops_of_users():
        items, directory = run_sweep(path, executor="serial")
    assert statuses(items) == ["done"] * 4
    return result_bytes(directory)
