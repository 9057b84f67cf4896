"""Encodes the estimator's labels, one (binary) or several (multilabel), as a boolean matrix with names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from engine.ids import shown
from models.data.labels_per_field import ANY, per_field_of
from store.schema import METADATA


@dataclass(frozen=True)
class LabelEncoding:
    """Labels as `models.fit` takes them.

    Attributes
    ----------
    matrix : ndarray of bool, shape (n_rows, n_labels)
    classes : ndarray
        The two classes of a single label, the second being the positive one; or the names of several labels.
    binary : bool
        Whether it is a single label with two classes.
    """

    matrix: np.ndarray
    classes: np.ndarray
    binary: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        return (str(self.classes[1]),) if self.binary else tuple(str(name) for name in self.classes)

    @property
    def per_field(self) -> str:
        """How many labels a new row can be assumed to have: as many as the given ones have."""
        return ANY if self.binary else per_field_of(self.matrix)


def encode_labels(y: Any, names: Sequence[Any] | pd.Index | None) -> LabelEncoding:
    """Encode a binary or multilabel target.

    Parameters
    ----------
    y : ndarray, shape (n_rows,) with two classes, or (n_rows, n_labels) of 0 and 1
    names : sequence, Index or None
        Names of the columns of a two-dimensional y; None numbers them from 0.

    Raises
    ------
    ValueError
        If it is neither.
    """
    kind = type_of_target(y, input_name="y")
    if kind == "binary":
        return _binary(column_or_1d(y, warn=True))
    if kind == "multiclass":
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass: give one label of two "
            "classes, or several labels; pandas.get_dummies(y) makes a label of each class."
        )
    if kind != "multilabel-indicator" or sparse.issparse(y):
        found = "sparse matrix" if sparse.issparse(y) else kind
        raise ValueError(
            f"Unknown label type: {found}. Expected one label of two classes, or a dense matrix of 0 and 1 with a "
            "column a label."
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y holds {np.unique(y).tolist()}; expected a matrix of 0 and 1 with a column a label.")
    classes = np.arange(y.shape[1]) if names is None else np.asarray(names)
    if len(set(map(str, classes))) < len(classes):
        raise ValueError(f"the labels' names {', '.join(map(str, classes))} are not unique. Rename the columns of y.")
    return _with_usable_names(LabelEncoding(y.astype(bool), classes, binary=False))


def number_groups(groups: Any, n_rows: int) -> np.ndarray | None:
    """Group numbers from 0 in order of first appearance; None where there are no groups.

    Raises
    ------
    ValueError
        If there are more or fewer groups than rows, or one is missing.
    """
    if groups is None:
        return None
    numbers = pd.factorize(column_or_1d(groups))[0]
    if len(numbers) != n_rows or (numbers < 0).any():
        raise ValueError(
            f"groups name {(numbers >= 0).sum()} of {n_rows} rows; expected one each. Give a row that belongs to no "
            "other a name of its own."
        )
    return numbers


def _binary(y: np.ndarray) -> LabelEncoding:
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds one class only ({classes[0]}) in {len(y)} rows; expected two classes to tell apart.")
    return _with_usable_names(LabelEncoding(codes[:, None] == 1, classes, binary=True))


def _with_usable_names(encoding: LabelEncoding) -> LabelEncoding:
    """The encoding, if its labels have names that a saved fit can hold."""
    for label in encoding.classes.tolist():
        if not isinstance(label, str | int | float):
            raise ValueError(
                f"the class {label!r} is neither text nor a number, so that it cannot be saved. Use its text, e.g. "
                "y.astype(str)."
            )
    for name in encoding.names:
        if shown(name, len(name) + 1) != name or not name.strip() or name.startswith(METADATA):
            raise ValueError(
                f"the label's name {name!r} cannot be used in the tables of a fit: it is empty, holds a character that "
                f"is not printed, or starts with {METADATA}. Rename the label."
            )
    return encoding
