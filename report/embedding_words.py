"""What stands for the embedding in words: the readable features that go with it, of a class and of a single field."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.explanation.readable import LEAST_SHARE, Counterparts
from report.feature_descriptions import in_words
from report.rows import rows_of
from report.sentences import listed, percent
from store.matrix import EMBEDDING

_UNUSUAL = 0.25
"""A feature says something of a field if its value is at least this many standard deviations from the mean."""


def what_goes_with_it(found: Counterparts, words: Mapping[str, str]) -> str:
    """Sentences about a class: which readable features go with the embedding, and how much of it they explain.

    Parameters
    ----------
    found : Counterparts
    words : mapping of str to str
        The columns in words, by name.
    """
    share = f"{percent(found.share)}{_spread(found)} of what the embedding adds"
    if found.share < LEAST_SHARE:
        return f"No readable feature goes with the embedding: all classical features together explain {share}."
    named = {
        verb: [f"{words[name]} ({percent(alone)} alone)" for name, alone, slope in found.features if up == (slope > 0)]
        for verb, up in (("rises with", True), ("falls with", False))
    }
    parts = [f"{verb} {listed(features)}" for verb, features in named.items() if features]
    together = f"Classical features explain {share}, on fields that they were not fitted to"
    return f"{together}: it {'; it '.join(parts)}." if parts else f"{together}, but none of them much by itself."


def without_embedding(importance: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """The importances without single features of the embedding, which say nothing to a reader; groups stay."""
    embedded = set(columns.loc[columns["family"] == EMBEDDING, "name"])
    return importance[(importance["level"] != "feature") | ~importance["what"].isin(embedded)]


def _spread(found: Counterparts) -> str:
    return "" if np.isnan(found.spread) else f" ± {100 * found.spread:.0f}"


@dataclass(frozen=True)
class Leading:
    """The feature that is named for a block.

    Attributes
    ----------
    column : int
    words : str
        The feature, or why none is named.
    readable : float
        The share of what the embedding adds to the class that classical features explain; NaN for other blocks.
    named : bool
        Whether the words are those of the column.
    """

    column: int
    words: str
    readable: float = np.nan
    named: bool = True

    @property
    def introduced(self) -> str:
        """The words as a reason ends with them, e.g. "mainly: coarse contrast of the protein in the nucleus"."""
        if not self.named:
            return self.words
        share = f"classical features explain {percent(self.readable)} of it, e.g."
        return f"{'mainly' if np.isnan(self.readable) else share}: {self.words}"


@dataclass(frozen=True)
class LeadingFeatures:
    """Chooses the feature that is named for a block of one field.

    Attributes
    ----------
    columns : DataFrame
        The structured columns of the fit, in order.
    background : ndarray of float32, shape (n, n_columns)
        Training fields, for what is usual.
    counterparts : mapping of str to Counterparts
        By class; empty if the importances were not measured.
    """

    columns: pd.DataFrame
    background: np.ndarray
    counterparts: Mapping[str, Counterparts]

    def of(self, organelle: str, column: int, log_odds: float, values: np.ndarray) -> Leading:
        """The feature that is named for a block of a field.

        Parameters
        ----------
        organelle : str
        column : int
            The block's leading column, which is named unless it is the embedding's.
        log_odds : float
            What the block adds.
        values : ndarray of float32, shape (n_columns,)
            Of the field.
        """
        found = self.counterparts.get(organelle)
        if self.columns["family"].iloc[column] != EMBEDDING or found is None:
            return Leading(column, self._words(column))
        if not found.features:
            words = f"no readable feature goes with it (classical features explain {percent(found.share)} of it)"
            return Leading(column, words, found.share, named=False)
        names = self.columns["name"].tolist()
        candidates = [(names.index(name), slope) for name, _, slope in found.features if name in names]
        pulls = [np.sign(log_odds * slope) * self._standing(c, values[c]) for c, slope in candidates]
        if not pulls or max(pulls) < _UNUSUAL:
            share = f"classical features explain {percent(found.share)} of it"
            words = f"{share}, but none of the leading ones stands out in this field"
            return Leading(column, words, found.share, named=False)
        chosen = candidates[int(np.argmax(pulls))][0]
        return Leading(chosen, self._words(chosen), found.share)

    def _words(self, column: int) -> str:
        return in_words(rows_of(self.columns.iloc[[column]])[0])

    def _standing(self, column: int, value: float) -> float:
        """Standard deviations from the mean of the background; 0 where unknown."""
        known = self.background[:, column]
        known = known[~np.isnan(known)].astype(np.float64)
        if np.isnan(value) or not len(known) or known.std() == 0:
            return 0.0
        return float((value - known.mean()) / known.std())


def usual_values(background: np.ndarray) -> np.ndarray:
    """The median of each column of training fields, shape (n_columns,); NaN where none is known."""
    known = ~np.isnan(background).all(0)
    usual = np.full(background.shape[1], np.nan)
    usual[known] = np.nanmedian(background[:, known], axis=0)
    return usual
