"""Encodes the columns of a table as inputs, with statistics of the training rows alone."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError, nearest
from landscape.parts.datasets._column import Column
from landscape.parts.datasets._kinds import Feature

STRATEGIES = ("median", "mean", "most_frequent", "constant")
_MISSING_CATEGORY = "missing"
_MOST_NAMES = 5  # categories that a description names


class Missing(NamedTuple):
    """What replaces missing values; `indicator` adds a column of 1 where a value was missing."""

    strategy: str
    value: float = 0.0
    indicator: bool = False


class Encoded(NamedTuple):
    """Inputs (n, width), which of them are standardized (width,), and what became of each column.

    `columns` are in the order of the features.
    """

    inputs: np.ndarray
    standardized: np.ndarray
    columns: tuple[Column, ...]


class _Block(NamedTuple):
    """The inputs (n, width) of one column, and which of them are standardized."""

    inputs: np.ndarray
    standardized: tuple[bool, ...]
    encoding: str


def missing_of(option: Mapping[str, Any] | None) -> Missing | None:
    """Reads the option `missing`. Raises UserError if it is wrong."""
    if option is None:
        return None
    for name in option:
        if name not in ("strategy", "value", "indicator"):
            hint = nearest(str(name), ("strategy", "value", "indicator"))
            raise UserError(f"`missing` has no key `{name}`", hint=hint)
    missing = Missing(option.get("strategy", ""), option.get("value", 0.0))
    if missing.strategy not in STRATEGIES:
        message = f"`missing.strategy` is {missing.strategy!r}"
        raise UserError(f"{message}; expected one of {', '.join(STRATEGIES)}")
    if "value" in option and missing.strategy != "constant":
        raise UserError("`missing.value` needs `strategy: constant`")
    if isinstance(missing.value, bool) or not isinstance(missing.value, int | float):
        raise UserError(f"`missing.value` is {missing.value!r}; expected a number")
    indicator = option.get("indicator", False)
    if not isinstance(indicator, bool):
        raise UserError(f"`missing.indicator` is {indicator!r}; expected true or false")
    return missing._replace(indicator=indicator)


def encode(features: Sequence[Feature], training: np.ndarray, missing: Missing | None) -> Encoded:
    """Returns the inputs of all rows; `training` are the numbers of the rows for training.

    Numbers and truth values are one column each, to be standardized. A category is a column per
    category of the file, 0 or 1, so that the number of inputs does not depend on the split; a
    category without a training row is 0 in all of them, and is named in the description. Without
    `missing` no value may be missing.
    """
    blocks = [_encode_one(feature, training, missing) for feature in features]
    return Encoded(
        np.concatenate([block.inputs for block in blocks], axis=1),
        np.concatenate([block.standardized for block in blocks]),
        tuple(
            Column(feature.column.name, feature.kind, block.encoding)
            for feature, block in zip(features, blocks, strict=True)
        ),
    )


def _encode_one(feature: Feature, training: np.ndarray, missing: Missing | None) -> _Block:
    encode_kind = _categories if feature.kind == "category" else _numbers
    block = encode_kind(feature, training, missing)
    if missing is None or not feature.missing.any() or not missing.indicator:
        return block
    indicator = feature.missing[:, None].astype(np.float64)
    inputs = np.concatenate([block.inputs, indicator], axis=1)
    encoding = f"{block.encoding}, indicator of missing values"
    return _Block(inputs, (*block.standardized, False), encoding)


def _numbers(feature: Feature, training: np.ndarray, missing: Missing | None) -> _Block:
    values, encoding = feature.values[:, None], "standardized"
    if missing is not None and feature.missing.any():
        values = _imputed(values, training, missing.strategy, missing.value)
        count, replaced = int(feature.missing.sum()), _replacement(missing, "")
        encoding = f"{encoding}, {count} missing values replaced by {replaced}"
    if (values[training] == values[training][0]).all():
        encoding += "; constant in training, so it is 0"
    return _Block(values, (True,), encoding)


def _categories(feature: Feature, training: np.ndarray, missing: Missing | None) -> _Block:
    from sklearn.preprocessing import OneHotEncoder

    texts, replaced = feature.values[:, None], ""
    if missing is not None and feature.missing.any():
        strategy = "constant" if missing.strategy == "constant" else "most_frequent"
        texts = _imputed(texts, training, strategy, _MISSING_CATEGORY)
        count = int(feature.missing.sum())
        replaced = f", {count} missing values replaced by {_replacement(missing, 'category')}"
    categories = np.unique(texts)
    in_training = np.isin(texts, np.unique(texts[training]))
    known = texts.copy()
    known[~in_training] = None
    encoder = OneHotEncoder(categories=[categories], handle_unknown="ignore", sparse_output=False)
    inputs = encoder.fit(texts[training]).transform(known)
    encoding = f"one-hot ({len(categories)}: {_listed(categories)}){replaced}"
    unseen = np.unique(texts[~in_training])
    if unseen.size:
        rows = int((~in_training).sum())
        encoding += f"; not in training, so all 0 in {rows} rows: {_listed(unseen)}"
    return _Block(inputs, (False,) * len(categories), encoding)


def _imputed(values: np.ndarray, training: np.ndarray, strategy: str, value: Any) -> np.ndarray:
    from sklearn.impute import SimpleImputer

    empty = None if values.dtype == object else np.nan
    imputer = SimpleImputer(
        missing_values=empty, strategy=strategy, fill_value=value, keep_empty_features=True
    )
    result: np.ndarray = imputer.fit(values[training]).transform(values)
    return result


def _replacement(missing: Missing, kind: str) -> str:
    if missing.strategy == "constant":
        return f"the category `{_MISSING_CATEGORY}`" if kind else f"{missing.value:g}"
    strategy = "most_frequent" if kind else missing.strategy
    return f"the {strategy.replace('_', ' ')} of training"


def _listed(texts: np.ndarray) -> str:
    shown = ", ".join(texts[:_MOST_NAMES])
    return f"{shown}, …" if len(texts) > _MOST_NAMES else shown
