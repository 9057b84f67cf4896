"""Brings the features of each plate (or cell line) to a common centre and scale, learnt from its fields without labels.

Plates differ in staining and exposure. Each column becomes (value - median) / (1.4826 MAD) of the plate's own fields,
or of its control wells alone if they are named. Labels are never read, so nothing leaks into the folds; and a plate's
values do not depend on other plates, so a new plate is treated as the training plates were (Caicedo et al. 2017,
"Data-analysis strategies for image-based cell profiling", Nature Methods 14).
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.ids import shown

LEAST_FIELDS = 8
"""Fewest fields (or fields of control wells) of a plate whose centre and scale are learnt."""

_MAD = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution


@dataclass(frozen=True)
class PlateScale:
    """Centre and scale of one plate: ndarrays of float64, shape (n_columns,)."""

    centre: np.ndarray
    scale: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Normalised values: float32, shape (n, n_columns)."""
        return ((values - self.centre) / self.scale).astype(np.float32)


def plate_scales(values: np.ndarray, plates: np.ndarray, used: np.ndarray | None = None) -> dict[str, PlateScale]:
    """The centre and scale of each plate.

    Parameters
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN for missing values.
    plates : ndarray of str, shape (n_fields,)
    used : ndarray of bool, shape (n_fields,), optional
        The fields that are learnt from, e.g. those of control wells; by default all.

    Raises
    ------
    InputError
        If a plate has too few of these fields.
    """
    used = np.ones(len(plates), bool) if used is None else used
    scales = {}
    for plate in np.unique(plates):
        mine = used & (plates == plate)
        if mine.sum() < LEAST_FIELDS:
            raise InputError(
                f"{shown(str(plate))} has {int(mine.sum())} fields to learn its centre and scale from; at least "
                f"{LEAST_FIELDS} are needed. Give more of its fields, or fit without --normalise-by."
            )
        scales[str(plate)] = _scale(values[mine].astype(np.float64))
    return scales


def _scale(values: np.ndarray) -> PlateScale:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Degrees of freedom|Mean of empty")
        centre = np.nan_to_num(np.nanmedian(values, axis=0))
        scale = _MAD * np.nanmedian(np.abs(values - centre), axis=0)
        spread = np.nanstd(values, axis=0)
    # Where more than half of the values are equal the MAD is 0; a column without any spread keeps its unit.
    scale = np.where(scale > 0, scale, spread)
    return PlateScale(centre, np.where(np.nan_to_num(scale) > 0, scale, 1.0))


@dataclass(frozen=True)
class FieldScales:
    """The plate of each field, and the scale of each plate.

    Attributes
    ----------
    plate_of : mapping of str to str
        By field id.
    scales : mapping of str to PlateScale
        By plate.
    """

    plate_of: Mapping[str, str]
    scales: Mapping[str, PlateScale]

    def apply(self, ids: Sequence[str], values: np.ndarray) -> np.ndarray:
        """Values of fields, or of cells with the ids of their fields, on the scale of their plates: float32."""
        return normalise(values, np.array([self.plate_of[field] for field in ids], str), self.scales)


def normalise(values: np.ndarray, plates: np.ndarray, scales: Mapping[str, PlateScale]) -> np.ndarray:
    """Values of fields (or cells) on the scale of their plates: float32, the shape of `values`."""
    out = np.empty(values.shape, np.float32)
    for plate in np.unique(plates):
        mine = plates == plate
        out[mine] = scales[str(plate)].apply(values[mine])
    return out
