"""Cars of 1970 to 1982: mileage as ordered classes, and as an order within a year and region."""

import functools
from typing import Annotated

import numpy as np

from landscape.parts._options import Between
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._named_array import NamedArray
from landscape.parts.datasets._prepare import assemble
from landscape.parts.datasets._split import Shares

# Upper limits of the first four of five classes of about equal size, in miles per gallon.
GRADES = (16.0, 20.0, 25.0, 31.0)
CLASSES = ("up to 16 mpg", "up to 20 mpg", "up to 25 mpg", "up to 31 mpg", "over 31 mpg")
_YEAR, _REGION = 5, 6


def car_mileage(
    seed: int,
    *,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """392 real cars, 7 properties each: mileage in five classes from low to high, ordinal.

    Inputs (7,): cylinders, displacement, horsepower, weight, acceleration, year, and region 1 to 3,
    each column standardized on the training examples; targets are labels 0 to 4 with limits at 16,
    20, 25 and 31 miles per gallon; the split is stratified.
    Source: UCI Auto MPG, Quinlan, Combining instance-based and model-based learning (1993), as
    mlxtend ships it.
    Choose it for ordinal losses, whose mistakes of two classes count more than those of one.
    """
    inputs, mileage = _cars()
    return assemble(
        inputs,
        np.searchsorted(GRADES, mileage),
        seed,
        Shares(test_fraction, validation_fraction),
        task="ordinal",
        classes=CLASSES,
        description="Cars of 1970 to 1982, 7 properties, mileage in five classes (mlxtend)",
    )


def car_ranking(
    seed: int,
    *,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """392 real cars, ranked by mileage among those of one year and region: 39 groups.

    Inputs as in `car_mileage`; targets are its labels 0 to 4 as relevance; the field `groups` is
    the number of the year and region. Groups of 2 to 29 cars stay in one split, so the shares of
    the splits hold approximately. Source as in `car_mileage`.
    Choose it for ranking losses: the level of a group, which rises over the years, does not count.
    """
    inputs, mileage = _cars()
    codes = np.unique(inputs[:, [_YEAR, _REGION]], axis=0, return_inverse=True)[1].reshape(-1)
    return assemble(
        inputs,
        np.searchsorted(GRADES, mileage),
        seed,
        Shares(test_fraction, validation_fraction),
        groups=NamedArray("year and region", codes, "mlxtend"),
        fields={"groups": codes.astype(np.int32)},
        task="ranking",
        description="Cars of 1970 to 1982, ranked by mileage within a year and region (mlxtend)",
    )


@functools.cache
def _cars() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import autompg_data

    inputs, mileage = autompg_data()
    return inputs[:, :7], mileage
