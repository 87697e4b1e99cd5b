"""BLAS runs in one thread during a run, whichever thread limits it, and as before afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from landscape.numerics.compiling import one_blas_thread


def thread_counts():
    """Returns the thread counts of all loaded BLAS libraries: those of NumPy and of SciPy."""
    assert scipy.linalg
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@one_blas_thread()
def limited_counts():
    return thread_counts()


def test_every_thread_can_limit_blas():
    """threadpoolctl obeys only the first thread that sets a limit: a user, or the last run."""
    with threadpool_limits(3, user_api="blas"), ThreadPoolExecutor(2) as pool:
        assert thread_counts() == {3}
        barrier = threading.Barrier(2)

        def counts():
            barrier.wait()  # in two threads, which both stay alive
            return limited_counts()

        for _ in range(3):
            futures = [pool.submit(counts) for _ in range(2)]
            assert [future.result() for future in futures] == [{1}, {1}]
            assert limited_counts() == {1}
            assert thread_counts() == {3}


def test_the_last_of_several_threads_lifts_the_limit():
    with threadpool_limits(3, user_api="blas"), ThreadPoolExecutor(1) as pool:
        entered, ended = threading.Event(), threading.Event()

        @one_blas_thread()
        def counts():
            entered.set()
            ended.wait(60)
            return thread_counts()

        with one_blas_thread():
            longer = pool.submit(counts)
            entered.wait(60)
        assert thread_counts() == {1}
        ended.set()
        assert longer.result() == {1}
        assert thread_counts() == {3}
