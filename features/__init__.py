"""Features of single cells. Each module beside this file is one family, with `columns()` and `measure(cells)`.

`features.measure` takes arrays and gives a table. A family is one file here, plus its words in report/phrases/ and
docs/features.md.
"""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from features.core.cells import Cells, make_cells
from features.core.device import open_device
from features.core.labels import pair_nuclei
from store.channels import Channel
from store.columns import Column


@cache
def families() -> dict[str, ModuleType]:
    """The families by name, in alphabetical order, or where a family's `SORTED_AS` puts it.

    The order of columns is part of a result: boosters sample columns by position. A family whose file is renamed keeps
    its place by naming the old file in `SORTED_AS`, so that the same seed still gives the same fit.
    """
    names = (path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    found = {name: import_module(f"features.{name}") for name in names}
    return dict(sorted(found.items(), key=lambda one: getattr(one[1], "SORTED_AS", one[0])))


def columns(names: Iterable[str] | None = None, *, all_columns: bool = False) -> tuple[Column, ...]:
    """The columns of some families, by default of all, in the order of `families`; raises as `measure` does.

    All columns of a family, or only those that are measured by default.
    """
    return tuple(column for family in _chosen(names) for column in _columns_of(family, all_columns))


def measure(
    pixels: np.ndarray,
    cell_labels: np.ndarray,
    nucleus_labels: np.ndarray,
    families: Iterable[str] | None = None,
    device: str = "cpu",
    *,
    all_columns: bool = False,
) -> pd.DataFrame:
    """Measure the cells of one field, or of several of one size.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W) or (n_fields, 4, H, W)
        Microtubules, protein, nucleus, ER, in this order.
    cell_labels, nucleus_labels : ndarray of int, shape (H, W) or (n_fields, H, W)
        Label images as segmentation tools write them, 0 for background. Ids may have gaps and repeat in other fields.
        Each nucleus belongs to the cell that holds most of it.
    families : iterable of str, optional
        Names from `features.families()`; by default all.
    device : str
        "cpu", "cuda", "cuda:N" or "auto" (a GPU if there is one).
    all_columns : bool
        Also measure what is left out by default: texture, gradients, binary patterns, granularity and Zernike moments
        of the other stains than the protein.

    Returns
    -------
    DataFrame of float32
        One row a cell: its id in `cell_labels` is the index "cell" (of several fields, the index is "field", "cell").
        One column a feature; NaN where a value does not exist.

    Raises
    ------
    ValueError
        If shapes or types do not fit, there is no field, no family is chosen, or one is unknown.
    UsageError
        If the device is not there.
    """
    pixels, cell_labels, nucleus_labels = map(np.asarray, (pixels, cell_labels, nucleus_labels))
    single = pixels.ndim == 3
    if single:
        pixels, cell_labels, nucleus_labels = pixels[None], cell_labels[None], nucleus_labels[None]
    if pixels.ndim != 4 or not cell_labels.shape == nucleus_labels.shape == (len(pixels), *pixels.shape[2:]):
        shapes = f"pixels {pixels.shape}, cell_labels {cell_labels.shape}, nucleus_labels {nucleus_labels.shape}"
        raise ValueError(
            f"shapes do not fit: found {shapes}; expected pixels (n_fields, 4, H, W) and labels (n_fields, H, W), or "
            "one field without n_fields."
        )
    if not len(pixels):
        raise ValueError(f"pixels {pixels.shape} hold no field: expected at least one.")
    for name, labels in (("cell_labels", cell_labels), ("nucleus_labels", nucleus_labels)):
        if labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
            raise ValueError(f"{name}: expected whole numbers from 0, found {labels.dtype} from {labels.min()}.")
    names = [column.name for column in columns(families, all_columns=all_columns)]
    ids, cells, nuclei = zip(*map(pair_nuclei, cell_labels, nucleus_labels))
    first = np.cumsum([0, *map(len, ids)])[:-1, None, None]  # ids run on from field to field
    cells, nuclei = (np.where(np.stack(images) > 0, np.stack(images) + first, 0) for images in (cells, nuclei))
    batch = make_cells(pixels, cells, nuclei, open_device(device))
    field = np.repeat(np.arange(len(ids)), [len(of_field) for of_field in ids])
    index = pd.MultiIndex.from_arrays([field, np.concatenate(ids)], names=["field", "cell"])
    values = batch.device.get(measure_families(batch, families, all_columns=all_columns))
    return pd.DataFrame(values, index.droplevel("field") if single else index, names)


def measure_families(cells: Cells, names: Iterable[str] | None = None, *, all_columns: bool = False) -> np.ndarray:
    """The values of `columns` on the device of the cells; float32, (n_cells, n_columns)."""
    values = [family.measure(cells, **_stains(family, all_columns)) for family in _chosen(names)]
    return cells.device.xp.concatenate(values, axis=1)


@cache
def _columns_of(family: ModuleType, all_columns: bool) -> tuple[Column, ...]:
    """The columns of a family: every shard asks for them, and to make thousands takes 20 ms."""
    return tuple(family.columns(**_stains(family, all_columns)))


def _stains(family: ModuleType, all_columns: bool) -> dict[str, tuple[Channel, ...]]:
    """What is passed to `columns` and `measure` of a family: the stains, where it measures fewer by default."""
    return {} if all_columns or not hasattr(family, "DEFAULT_STAINS") else {"stains": family.DEFAULT_STAINS}


def _chosen(names: Iterable[str] | None) -> list[ModuleType]:
    """The families of these names, in the order of `families`."""
    known = families()
    wanted = list(known if names is None else [names] if isinstance(names, str) else names)
    if not wanted:
        raise ValueError(f"no family is chosen: expected some of {', '.join(known)}; leave them out to measure all.")
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"family {unknown[0]!r} is unknown: expected some of {', '.join(known)}.")
    return [family for name, family in known.items() if name in wanted]
