import jax
import pytest

# As a user of the libraries has them, in all threads.
PROMOTIONS = {"jax_numpy_rank_promotion": "allow", "jax_numpy_dtype_promotion": "standard"}


@pytest.fixture(autouse=True)
def _promotion_of_the_libraries():
    strict = {name: getattr(jax.config, name) for name in PROMOTIONS}
    for name, value in PROMOTIONS.items():
        jax.config.update(name, value)
    yield
    for name, value in strict.items():
        jax.config.update(name, value)
