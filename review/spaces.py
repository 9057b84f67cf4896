"""Where fields and cells lie by their protein features: for maps, similar fields and the out-of-distribution check."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.running.progress import Progress
from models.trust.neighbours import Space, fit_space
from models.trust.out_of_distribution import fit_ranges, is_out_of_distribution
from review.cells import CellIndex
from store.channels import IMAGE, PROTEIN
from store.matrix import matrix_columns

FITTED_ON = 4000
"""Fields or cells that a space is fitted on at most, evenly spaced; all are placed in it."""

_PIECE = 512

ValuesOf = Callable[[list[str]], np.ndarray]
"""Given names of columns of the matrix, their values of all n fields: float32, shape (n, n_names)."""


def similar(placed: np.ndarray, row: int, among: np.ndarray, n: int) -> list[tuple[int, float]]:
    """The most similar fields of a field.

    Parameters
    ----------
    placed : ndarray of float32, shape (n_fields, n_directions)
        As from `place_fields`.
    row : int
        The field.
    among : ndarray of int
        Rows to choose from.
    n : int
        How many are wanted.

    Returns
    -------
    list of (int, float)
        Rows and their distances, about 1 for unrelated fields; nearest first.
    """
    others = among[among != row]
    scale = float(np.sqrt(2 * placed.var(0, dtype=np.float64).sum())) or 1.0
    apart = np.linalg.norm(placed[others] - placed[row], axis=1) / scale
    return [(int(others[k]), float(apart[k])) for k in np.argsort(apart, kind="stable")[:n]]


def protein_columns(columns: pd.DataFrame) -> pd.DataFrame:
    """The columns that look at the protein and do not depend on how a field was acquired; all if there are none."""
    chosen = np.array([PROTEIN.name in stains for stains in columns["channels"]], bool)
    chosen &= ~columns["covariate"].to_numpy(bool)
    return columns[chosen] if chosen.any() else columns


def _protein_values(values_of: ValuesOf, columns: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """The protein's values of all fields, and the columns that they are of."""
    chosen = protein_columns(matrix_columns(columns))
    return values_of(chosen["name"].tolist()), chosen


def place_fields(values_of: ValuesOf, columns: pd.DataFrame) -> np.ndarray:
    """Place all n fields of a run by their protein features.

    Parameters
    ----------
    values_of : callable
    columns : DataFrame
        The structured columns of cells and fields.

    Returns
    -------
    ndarray of float32, shape (n, n_directions)
    """
    values, chosen = _protein_values(values_of, columns)
    return _place(values, _space(values, chosen))


def find_unlike(
    values_of: ValuesOf, columns: pd.DataFrame, placed: np.ndarray, fitted_row: np.ndarray, groups: np.ndarray | None
) -> np.ndarray:
    """Find the fields that are out of distribution: not fitted on, and unlike the fields that were.

    Parameters
    ----------
    values_of : callable
    columns : DataFrame
        The structured columns of cells and fields.
    placed : ndarray of float32, shape (n, n_directions)
        As from `place_fields`.
    fitted_row : ndarray of int, shape (n,)
        As in the catalogue.
    groups : ndarray of int or None
        The groups of the fit, by fitted row.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    unlike = np.zeros(len(placed), bool)
    seen, new = np.flatnonzero(fitted_row >= 0), np.flatnonzero(fitted_row < 0)
    if groups is None or not len(new) or not len(seen):
        return unlike
    values, chosen = _protein_values(values_of, columns)
    own = groups[fitted_row[seen]]
    training = replace(_space(values, chosen), fields=placed[seen])
    ranges = fit_ranges(values[seen], training.chosen, own)
    apart = training.to_other_groups(own)
    for piece in _pieces(len(new)):
        rows = new[piece]
        near = training.distances(values[rows]).min(1)
        unlike[rows] = is_out_of_distribution(near, ranges.outside(values[rows]), apart, ranges.training_shares)
    return unlike


@dataclass(frozen=True)
class CellMap:
    """A sample of the cells in the plane.

    Attributes
    ----------
    cells : ndarray of int, shape (m,)
        Numbers in the cell index.
    points : ndarray of float32, shape (m, 2)
        The first two principal directions.
    n_all : int
        Cells that it is a sample of.
    """

    cells: np.ndarray
    points: np.ndarray
    n_all: int


def map_cells(index: CellIndex, cells: np.ndarray, columns: pd.DataFrame, progress: Progress) -> CellMap:
    """Place some cells by their protein features; `progress` is advanced by one for each shard."""
    chosen = protein_columns(columns[columns["compartment"] != IMAGE])
    values = index.read(cells, chosen["name"].tolist(), progress.advance)
    if not len(cells):
        return CellMap(cells, np.empty((0, 2), np.float32), index.n_known)
    placed = _place(values, _space(values, chosen.reset_index(drop=True), directions=2))
    return CellMap(cells, plane(placed), index.n_known)


def _space(values: np.ndarray, chosen: pd.DataFrame, **options: int) -> Space:
    """A space fitted on at most `FITTED_ON` evenly spaced rows."""
    sample = np.arange(0, len(values), max(-(-len(values) // FITTED_ON), 1))
    return fit_space(values[sample], chosen, **options)


def _place(values: np.ndarray, space: Space) -> np.ndarray:
    """The places of all rows."""
    return np.concatenate([space.place_quickly(values[piece]) for piece in _pieces(len(values))])


def _pieces(total: int) -> Iterator[slice]:
    """Slices of at most `_PIECE` rows that cover `total`."""
    for start in range(0, total, _PIECE):
        yield slice(start, min(start + _PIECE, total))


def plane(coordinates: np.ndarray) -> np.ndarray:
    """The first two directions, float32, shape (m, 2); the second is 0 where there is only one."""
    wide = np.zeros((len(coordinates), 2), np.float32)
    wide[:, : min(2, coordinates.shape[1])] = coordinates[:, :2]
    return wide


def scaled(points: np.ndarray) -> Sequence[Sequence[int]]:
    """Points as whole numbers from 0 to 10,000 in each direction, without the farthest thousandth at each end."""
    if not len(points):
        return [[], []]
    low, high = np.percentile(points, (0.1, 99.9), axis=0)
    share = (points - low) / np.where(high > low, high - low, 1)
    return (share.clip(0, 1) * 10_000).round().astype(int).T.tolist()
