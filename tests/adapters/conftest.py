import jax
import pytest


@pytest.fixture(autouse=True)
def _promotion_of_the_libraries():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
