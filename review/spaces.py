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


@dataclass(frozen=True)
class FieldSpace:
    """All n fields of the catalogue by their protein features.

    Attributes
    ----------
    placed : ndarray of float32, shape (n, n_directions)
        Coordinates.
    unlike : ndarray of bool, shape (n,)
        Out of distribution: unlike the fields fitted on. Only for fields that were not fitted on.
    """

    placed: np.ndarray
    unlike: np.ndarray

    def similar(self, row: int, among: np.ndarray, n: int) -> list[tuple[int, float]]:
        """The n most similar fields of some rows, nearest first, with their distance (about 1 for unrelated fields)."""
        others = among[among != row]
        scale = float(np.sqrt(2 * self.placed.var(0, dtype=np.float64).sum())) or 1.0
        apart = np.linalg.norm(self.placed[others] - self.placed[row], axis=1) / scale
        return [(int(others[k]), float(apart[k])) for k in np.argsort(apart, kind="stable")[:n]]


def protein_columns(columns: pd.DataFrame) -> pd.DataFrame:
    """The columns that look at the protein and do not depend on how a field was acquired; all if there are none."""
    chosen = np.array([PROTEIN.name in stains for stains in columns["channels"]], bool)
    chosen &= ~columns["covariate"].to_numpy(bool)
    return columns[chosen] if chosen.any() else columns


def place_fields(
    values_of: Callable[[list[str]], np.ndarray],
    columns: pd.DataFrame,
    fitted_row: np.ndarray,
    groups: np.ndarray | None,
) -> FieldSpace:
    """Place all fields of the catalogue.

    Parameters
    ----------
    values_of : callable
        Given names of columns of the matrix, their values of all fields of the catalogue, float32, (n_fields, n_names).
    columns : DataFrame
        The structured columns of cells and fields.
    fitted_row : ndarray of int, shape (n,)
        As in the catalogue.
    groups : ndarray of int or None
        The groups of the fit, by fitted row.
    """
    chosen = protein_columns(matrix_columns(columns))
    values = values_of(chosen["name"].tolist())
    space, placed = _placed(values, chosen)
    return FieldSpace(placed, _unlike(values, space, placed, fitted_row, groups))


def _unlike(
    values: np.ndarray, space: Space, placed: np.ndarray, fitted_row: np.ndarray, groups: np.ndarray | None
) -> np.ndarray:
    unlike = np.zeros(len(values), bool)
    seen, new = np.flatnonzero(fitted_row >= 0), np.flatnonzero(fitted_row < 0)
    if groups is None or not len(new) or not len(seen):
        return unlike
    own = groups[fitted_row[seen]]
    training = replace(space, fields=placed[seen])
    ranges = fit_ranges(values[seen], space.chosen, own)
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
    placed = _placed(values, chosen.reset_index(drop=True), directions=2)[1]
    return CellMap(cells, plane(placed), index.n_known)


def _placed(values: np.ndarray, chosen: pd.DataFrame, **options: int) -> tuple[Space, np.ndarray]:
    """A space fitted on at most `FITTED_ON` evenly spaced rows, and the places of all rows in it."""
    sample = np.arange(0, len(values), max(-(-len(values) // FITTED_ON), 1))
    space = fit_space(values[sample], chosen, **options)
    return space, np.concatenate([space.place_quickly(values[piece]) for piece in _pieces(len(values))])


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
