"""Tables: real measurements from scikit-learn, and two moons."""

from typing import Annotated, Any

from landscape.parts._options import Between, check_in, check_whole
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._prepare import assemble
from landscape.parts.datasets._split import Shares, generator


def breast_cancer(
    seed: int,
    *,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """569 real tumors, 30 measurements of cell nuclei each: benign (1) or malignant (0).

    Inputs (30,), each column standardized on the training examples; targets 0 or 1; the split is
    stratified.
    Source: scikit-learn `load_breast_cancer`; Street, Wolberg and Mangasarian, Nuclear feature
    extraction for breast tumor diagnosis (1993).
    Choose it for binary losses on real data that a linear model almost separates.
    """
    from sklearn.datasets import load_breast_cancer

    shares = Shares(test_fraction, validation_fraction)
    description = "Breast tumors, 30 measurements, benign or malignant (scikit-learn)"
    return _table(load_breast_cancer(), seed, shares, "binary", description)


def wine(
    seed: int,
    *,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """178 real wines, 13 chemical measurements each, 3 growers: the smallest multiclass dataset.

    Inputs (13,), each column standardized on the training examples; targets are labels 0 to 2;
    the split is stratified.
    Source: scikit-learn `load_wine`; Forina et al., PARVUS (1988), UCI.
    Choose it for exact or second-order computations, whose cost grows with the number of examples.
    """
    from sklearn.datasets import load_wine

    shares = Shares(test_fraction, validation_fraction)
    description = "Wines, 13 chemical measurements, 3 growers (scikit-learn)"
    return _table(load_wine(), seed, shares, "multiclass", description)


def diabetes(
    seed: int,
    *,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """442 real patients, 10 measurements each: progression of diabetes, a noisy regression.

    Inputs (10,), each column standardized on the training examples. The target is standardized
    too, so losses and RMSE are in units of its standard deviation; `standardize_target: false`
    keeps the raw score of 25 to 346.
    Source: scikit-learn `load_diabetes`; Efron et al., Least angle regression (2004).
    Choose it for regression losses; linear models reach an R2 of about 0.5, few models more.
    """
    from sklearn.datasets import load_diabetes

    shares = Shares(test_fraction, validation_fraction)
    description = "Diabetes progression after a year, 10 measurements (scikit-learn)"
    data = load_diabetes(scaled=False)
    return _table(data, seed, shares, "regression", description, standardize_target)


def moons(
    seed: int,
    *,
    size: int = 1000,
    noise: float = 0.2,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Two interleaved half circles with Gaussian noise, generated from the seed: a toy in 2-D.

    Inputs (2,), each column standardized on the training examples; targets 0 (outer) or 1
    (inner); `size` counts the points of all splits, half of them in each moon; `noise` is the
    standard deviation, for half circles of radius 1.
    Source: scikit-learn `make_moons`.
    Choose it to draw a decision boundary or if data must be cheap; not as evidence about real
    data.
    """
    from sklearn.datasets import make_moons

    check_whole(6, 10_000_000, size=size)
    check_in("[0, inf)", noise=noise)
    state = int(generator(seed, "moons").integers(2**32))
    inputs, targets = make_moons(size, noise=noise, random_state=state)
    return assemble(
        inputs,
        targets,
        seed,
        Shares(test_fraction, validation_fraction),
        task="binary",
        classes=("outer", "inner"),
        description=f"Two moons with noise {noise:g}, generated",
    )


def _table(
    data: Any,
    seed: int,
    shares: Shares,
    task: str,
    description: str,
    standardize_target: bool = False,
) -> Dataset:
    return assemble(
        data.data,
        data.target,
        seed,
        shares,
        task=task,
        classes=tuple(str(name) for name in data.get("target_names", ())),
        description=description,
        standardize_target=standardize_target,
    )
