"""The embedding of each cell: a network's maps of the field, pooled under the cell with the protein as weight.

Each map channel gives a mean and a standard deviation over the cell's pixels. What lies beside a cell is part of what
the network sees there (up to 169 px away), so its values depend on its neighbours and, slightly, on its place among the
network's strides; not on the batch.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np

from features.core.cells import Cells
from features.core.device import Device
from features.embedding.backbone import open_user_maps
from features.embedding.field_maps import (
    ONE,
    Maps,
    map_places,
    pixel_weights,
    protein_and_nuclei,
    relative_levels,
    resized,
    shrink_factors,
)
from features.embedding.lite0 import MAPS
from features.embedding.pretrained import KIND, open_pretrained
from features.extraction.settings import ExtractSettings, NetworkFile
from store.channels import CHANNELS, PROTEIN
from store.columns import Column
from store.matrix import EMBEDDING, MASS

_MULTIPLE = 32  # of the sides of images: networks halve them up to five times


@lru_cache(maxsize=2)
def embedding_columns(settings: ExtractSettings) -> tuple[Column, ...]:
    """The columns that a network adds; without a network none."""
    network = settings.network
    if network is None:
        return ()
    stains = tuple(
        channel for channel in CHANNELS if channel.colour in network.channels and channel not in settings.absent
    )
    mass = Column("Cells", EMBEDDING, MASS, (PROTEIN,), covariate=True)
    if not network.maps:
        of_crop = range(1, network.length + 1)
        return mass, *(Column("Cells", EMBEDDING, "Pattern", stains, (k,)) for k in of_crop)
    numbers = [block for block, _, _ in MAPS] if network.kind == KIND else range(1, len(network.maps) + 1)
    places = [(number, k) for number, n in zip(numbers, network.maps, strict=True) for k in range(1, n + 1)]
    return mass, *(Column("Cells", EMBEDDING, kind, stains, place) for kind in ("Mean", "SD") for place in places)


@lru_cache(maxsize=2)
def open_maps(file: NetworkFile, device: Device) -> Maps:
    """A network of whole fields on a device."""
    return open_pretrained(device) if file.kind == KIND else open_user_maps(file, device)


def embed_cells(cells: Cells, network: NetworkFile) -> np.ndarray:
    """The mass of each cell's protein and, for a network of whole fields, the pooled maps; on the cells' device.

    Parameters
    ----------
    cells : Cells
    network : NetworkFile

    Returns
    -------
    ndarray of float32, shape (n, 1 or 1 + network.length)
    """
    device, xp = cells.device, cells.device.xp
    level = relative_levels(cells.pixels[:, PROTEIN.index], device)
    weights = pixel_weights(level, xp)
    region = cells.regions["Cells"]
    mass = device.kernels.neighbours.segment_sums(weights.ravel()[region.positions], region.offsets)
    parts = [(mass[:, None] / ONE).astype(np.float32)]
    if network.maps:
        images = protein_and_nuclei(cells, level) if network.kind == KIND else _stains(cells, network)
        parts.append(pool_fields(cells, weights, images, open_maps(network, device)))
    return xp.concatenate(parts, axis=1)


def pool_fields(cells: Cells, weights: np.ndarray, images: np.ndarray, maps: Maps) -> np.ndarray:
    """Means of all maps' channels, then their standard deviations, under each cell: float32, shape (n, n_values).

    Fields whose nuclei are far from the size that the network was measured with are shown smaller or larger.
    """
    device, xp = cells.device, cells.device.xp
    factors, field = shrink_factors(device.get(cells.nucleus_diameter)), device.get(cells.field)
    pooled: Any = None
    for factor in np.unique(factors).tolist():
        fields = np.flatnonzero(factors == factor)
        mine = np.flatnonzero(factors[field] == factor)
        image = resized(_some(images, fields, xp), factor, _MULTIPLE, xp)
        pixels = _some(weights, fields, xp), _some(cells.cell_labels, fields, xp), xp.asarray(mine.astype(np.int32)) + 1
        of_cells = xp.asarray(np.searchsorted(fields, field[mine]).astype(np.int32)), _some(cells.boxes, mine, xp)
        found = []
        for one in _side_by_side(maps(xp.ascontiguousarray(image, np.float32)), xp):
            sides = zip(images.shape[2:], one.shape[1:3], image.shape[2:], strict=True)
            rows, columns = (xp.asarray(map_places(n, n_map, factor * shown / n_map)) for n, n_map, shown in sides)
            starts = map_box_starts(of_cells[1], rows, columns, xp)
            packed = starts, int(starts[-1])
            found.append(device.kernels.map_pooling.pool_maps(one, *pixels, *of_cells, *packed, rows, columns))
        values = xp.concatenate([of_map[:, k] for k in (0, 1) for of_map in found], axis=1)
        pooled = xp.empty((cells.n, values.shape[1]), np.float32) if pooled is None else pooled
        pooled[xp.asarray(mine)] = values
    return pooled


def _side_by_side(maps: list[np.ndarray], xp: ModuleType) -> Iterator[np.ndarray]:
    """Maps with their channels side by side in memory, (n, h, w, channels); those of one size in a row as one map."""
    for _, alike in groupby(maps, lambda one: one.shape[2:]):
        parts = list(alike)
        joined = parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=1)
        yield xp.ascontiguousarray(xp.moveaxis(joined, 1, -1))


def map_box_starts(boxes: np.ndarray, rows: np.ndarray, columns: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Where each cell begins if the map pixels of all boxes lie one after the other: int64, shape (n + 1,)."""
    down = rows[boxes[:, 2] - 1] - rows[boxes[:, 0]] + 1
    across = columns[boxes[:, 3] - 1] - columns[boxes[:, 1]] + 1
    starts = xp.zeros(len(boxes) + 1, np.int64)
    xp.cumsum(down * across, dtype=np.int64, out=starts[1:])
    return starts


def _some(array: np.ndarray, chosen: np.ndarray, xp: ModuleType) -> np.ndarray:
    """The chosen rows; the array itself, not a copy, if that is all of them."""
    return array if len(chosen) == len(array) else array[xp.asarray(chosen)]


def _stains(cells: Cells, network: NetworkFile) -> np.ndarray:
    """What a user's network sees of whole fields: its stains, each relative to its brightest pixels, normalised."""
    xp = cells.device.xp
    index = [channel.index for colour in network.channels for channel in CHANNELS if channel.colour == colour]
    levels = [relative_levels(cells.pixels[:, k], cells.device) for k in index]
    normalised = [(level - np.float32(m)) / np.float32(sd) for level, m, sd in zip(levels, network.mean, network.sd)]
    return xp.stack(normalised, axis=1)
