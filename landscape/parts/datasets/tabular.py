"""Tables: real measurements that scikit-learn ships, and two moons."""

from landscape.errors import UserError
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._prepare import assemble, check_integer, generator


def breast_cancer(seed: int, *, test_fraction: float = 0.25) -> Dataset:
    """569 real tumors, 30 measurements of cell nuclei each: benign (1) or malignant (0).

    Inputs (30,), each column standardized on the training examples; targets 0 or 1; the split is
    stratified.
    Source: scikit-learn `load_breast_cancer`; Street, Wolberg and Mangasarian, Nuclear feature
    extraction for breast tumor diagnosis (1993).
    Choose it for binary losses on real data that a linear model nearly separates.
    """
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return assemble(
        data.data,
        data.target,
        seed=seed,
        test_fraction=test_fraction,
        task="binary",
        classes=tuple(str(name) for name in data.target_names),
        description="Breast tumors, 30 measurements, benign or malignant (scikit-learn)",
    )


def wine(seed: int, *, test_fraction: float = 0.25) -> Dataset:
    """178 real wines, 13 chemical measurements each, 3 growers: the smallest multiclass set.

    Inputs (13,), each column standardized on the training examples; targets are labels 0 to 2;
    the split is stratified.
    Source: scikit-learn `load_wine`; Forina et al., PARVUS (1988), UCI.
    Choose it for exact or second-order work, where the number of examples is the cost.
    """
    from sklearn.datasets import load_wine

    data = load_wine()
    return assemble(
        data.data,
        data.target,
        seed=seed,
        test_fraction=test_fraction,
        task="multiclass",
        classes=tuple(str(name) for name in data.target_names),
        description="Wines, 13 chemical measurements, 3 growers (scikit-learn)",
    )


def diabetes(seed: int, *, standardize_target: bool = True, test_fraction: float = 0.25) -> Dataset:
    """442 real patients, 10 measurements each: progression of diabetes, a noisy regression.

    Inputs (10,), each column standardized on the training examples. The target is standardized
    with the training mean and standard deviation too, so losses and RMSE are in units of the
    latter; `standardize_target: false` leaves the raw score of 25 to 346.
    Source: scikit-learn `load_diabetes`; Efron et al., Least angle regression (2004).
    Choose it for regression losses; linear models reach an R2 near 0.5, few models more.
    """
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    return assemble(
        data.data,
        data.target,
        seed=seed,
        test_fraction=test_fraction,
        task="regression",
        standardize_target=standardize_target,
        description="Diabetes progression after a year, 10 measurements (scikit-learn)",
    )


def moons(
    seed: int, *, size: int = 1000, noise: float = 0.2, test_fraction: float = 0.25
) -> Dataset:
    """Two interleaved half circles with Gaussian noise, generated from the seed: a toy in 2-D.

    Inputs (2,), each column standardized on the training examples; targets 0 (outer) or 1
    (inner); `size` points in both splits together, half of them in each moon; `noise` is the
    standard deviation added to points of half circles of radius 1.
    Source: scikit-learn `make_moons`.
    Choose it where a decision boundary is to be drawn, or where data must be cheap; not as
    evidence about real data.
    """
    from sklearn.datasets import make_moons

    check_integer("size", size, 4)
    if not 0.0 <= noise < float("inf"):
        raise UserError(f"`noise` is {noise!r}; expected a standard deviation of 0 or more")
    state = int(generator(seed, "moons").integers(2**32))
    inputs, targets = make_moons(size, noise=noise, random_state=state)
    return assemble(
        inputs,
        targets,
        seed=seed,
        test_fraction=test_fraction,
        task="binary",
        classes=("outer", "inner"),
        description=f"Two moons with noise {noise:g}, generated",
    )
