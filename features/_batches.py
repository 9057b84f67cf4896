"""Fields read and segmented on the host, gathered into batches, and measured on the device."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FieldError
from features import columns, measure_families
from features._cells import make_cells
from features._channels import ER
from features._device import Device
from features._embedder import embedding_columns, open_network
from features._field import measure_field
from features._images import FieldSource, read_field
from features._masks import read_masks
from features._portraits import cut_portraits
from features._segment import Segmentation, segment
from features._settings import ExtractSettings
from features._table import Column


@dataclass(frozen=True)
class ReadField:
    """One field on the host.

    Attributes
    ----------
    row : dict
        Its row of the field table: what was measured of the whole field, or why it failed.
    images : (pixels, cell_labels, nucleus_labels), or None if it failed
        ndarray of uint8 or uint16 (4, H, W), and two of int32 (H, W).
    portraits : ndarray of uint8, shape (n_cells, 4, side, side), or None
        Its cells as a network looks at them, where there is one.
    """

    row: dict[str, object]
    images: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    portraits: np.ndarray | None = None


@dataclass(frozen=True)
class MeasuredCells:
    """The cells of a batch, in the order of its fields; arrays with one row a cell.

    Attributes
    ----------
    ids : tuple of str
        The batch's fields.
    field : ndarray of int32
        The field (index into `ids`) of each cell.
    centres : ndarray of float64, shape (n, 2)
        y, x in px.
    at_border : ndarray of bool
        Whether the image border cuts the cell.
    values : ndarray of float32, shape (n, n_columns)
    """

    ids: tuple[str, ...]
    field: np.ndarray
    centres: np.ndarray
    at_border: np.ndarray
    values: np.ndarray


def read_cells(source: FieldSource, field_id: str, no_er: bool, masks: str | None) -> tuple[np.ndarray, Segmentation]:
    """The pixels of a field, uint8 or uint16 (4, H, W), and its cells: our own, or those of a folder of masks.

    Raises
    ------
    FieldError
        If it cannot be read or has no cells.
    """
    pixels = read_field(source, field_id, no_er)
    found = segment(pixels, field_id) if masks is None else read_masks(Path(masks), field_id, pixels.shape[1:])
    return pixels, found


def read_one(source: FieldSource, field_id: str, settings: ExtractSettings) -> ReadField:
    """Read and segment one field and measure it as a whole; a field that cannot be is a row that says why."""
    try:
        pixels, found = read_cells(source, field_id, settings.no_er, settings.masks)
    except FieldError as error:
        return ReadField(
            {
                "Metadata_Id": field_id,
                "Metadata_Path": error.path,
                "Metadata_Stage": error.stage,
                "Metadata_Error": str(error),
            },
            None,
        )
    row = {"Metadata_Id": field_id} | measure_field(pixels, found.cells, found.nuclei)
    images = (pixels, found.cells, found.nuclei)
    return ReadField(row, images, cut_portraits(*images, settings.network.portrait) if settings.network else None)


def batches(fields: Iterable[ReadField], device: Device) -> Iterator[list[ReadField]]:
    """Gather fields that could be read and follow each other into batches of one size and type, as large as fit."""
    batch: list[ReadField] = []
    for field in fields:
        if field.images is None:
            continue
        pixels = field.images[0]
        if batch:
            first = batch[0].images[0]
            full = (len(batch) + 1) * first[0].size > device.batch_pixels
            if full or (pixels.shape, pixels.dtype) != (first.shape, first.dtype):
                yield batch
                batch = []
        batch.append(field)
    if batch:
        yield batch


@dataclass(frozen=True)
class Launched:
    """A batch that a device is measuring: arrays on the device, in the order of `MeasuredCells`, and portraits."""

    ids: tuple[str, ...]
    arrays: tuple[Any, ...]
    portraits: tuple[np.ndarray, ...] = ()


def stacked(batch: list[ReadField]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and labels of a batch as `make_cells` takes them: ids run on from field to field."""
    if len(batch) == 1:  # no copy: a field of 3072 px is 75 MB and its labels as much
        return tuple(image[None] for image in batch[0].images)
    numbers = np.cumsum([0] + [int(field.images[1].max(initial=0)) for field in batch]).tolist()
    pixels = np.stack([field.images[0] for field in batch])
    cell_labels, nucleus_labels = (
        np.stack([np.where(field.images[k] > 0, field.images[k] + n, 0) for field, n in zip(batch, numbers)])
        for k in (1, 2)
    )
    return pixels, cell_labels, nucleus_labels


def launch(batch: list[ReadField], device: Device) -> Launched:
    """Begin to measure a batch; on a GPU most of the work is still to come when this returns."""
    cells = make_cells(*stacked(batch), device)
    height, width = cells.cell_labels.shape[1:]
    top, left, bottom, right = cells.boxes.T
    at_border = (top == 0) | (left == 0) | (bottom == height) | (right == width)
    ids = tuple(str(field.row["Metadata_Id"]) for field in batch)
    arrays = (cells.field, cells.centroids("Cells"), at_border, measure_families(cells, device))
    return Launched(ids, arrays, tuple(field.portraits for field in batch if field.portraits is not None))


def fetch(launched: Launched, settings: ExtractSettings, device: Device) -> MeasuredCells:
    """Wait for a batch and bring it to the host; a network adds its vector of each cell."""
    field, centres, at_border, values = map(device.get, launched.arrays)
    if settings.no_er:
        values[:, _er_columns()] = np.nan
    if settings.network is not None:
        vectors = open_network(settings.network, device.name)
        values = np.hstack([values, vectors(np.concatenate(launched.portraits))])
    return MeasuredCells(launched.ids, field, centres, at_border, values)


def cell_columns(settings: ExtractSettings) -> tuple[Column, ...]:
    """The columns of `MeasuredCells.values`: all families', then the network's."""
    return columns() + embedding_columns(settings)


@lru_cache
def _er_columns() -> np.ndarray:
    return np.array([ER in column.channels for column in columns()])
