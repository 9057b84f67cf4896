"""Batches of fields: read on the host, segmented on either, measured on the device."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.errors import FieldError
from features import columns, measure_families
from features.core.cells import Cells, cells_on_device
from features.core.device import Device
from features.embedding.backbone import open_crops
from features.embedding.cell_crops import crop_cells
from features.embedding.embedding import embed_cells, embedding_columns
from features.extraction.field_level import count_cells, measure_field
from features.extraction.settings import ExtractSettings
from features.reading.field_reading import FieldPixels, read_field_pixels
from features.reading.layouts.names import NOWHERE
from features.reading.source import FieldSource
from features.segmentation.masks import read_masks
from features.segmentation.segment import Segmentation, find_cells, no_nuclei, segment
from store.channels import Channel
from store.columns import Column
from store.schema import (
    METADATA_ERROR,
    METADATA_ID,
    METADATA_MAX_LEVEL,
    METADATA_PATH,
    METADATA_PIXEL_SIZE,
    METADATA_PLATE,
    METADATA_SITE,
    METADATA_STAGE,
    METADATA_WELL,
    PLACE,
)

Row = dict[str, str | float | None]
"""A field in the table of fields, by column."""


@dataclass(frozen=True)
class ReadField:
    """One field on the host.

    Attributes
    ----------
    row : dict
        Its row of the field table: what was measured of it without its cells.
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    labels : (cell_labels, nucleus_labels), or None if the device is to find the cells
        ndarray of int32, shape (H, W).
    mask_ids : ndarray of int, shape (n_cells,), or None
        The ids that the cells have in masks made elsewhere.
    crops : ndarray of uint8, shape (n_cells, 4, side, side), or None
        Its cells as input of a network of crops, where one is used.
    """

    row: Row
    pixels: np.ndarray
    labels: tuple[np.ndarray, np.ndarray] | None = None
    crops: np.ndarray | None = None
    mask_ids: np.ndarray | None = None


@dataclass(frozen=True)
class UnreadField:
    """A field that could not be read; its row of the field table says why."""

    row: Row


@dataclass(frozen=True)
class MeasuredCells:
    """The cells of a batch, in the order of its fields; arrays with one row a cell.

    Attributes
    ----------
    rows : tuple of dict
        The rows of the batch's fields in the field table; the row of a field without cells holds its error.
    field : ndarray of int32
        The field (index into `rows`) of each cell.
    centres : ndarray of float64, shape (n, 2)
        y, x in px.
    at_border : ndarray of bool
        Whether the image border cuts the cell.
    values : ndarray of float32, shape (n, n_columns)
    mask_ids : ndarray of int64, shape (n,), or None
        As in `ReadField`.
    """

    rows: tuple[Row, ...]
    field: np.ndarray
    centres: np.ndarray
    at_border: np.ndarray
    values: np.ndarray
    mask_ids: np.ndarray | None = None


def read_cells(source: FieldSource, field_id: str) -> tuple[FieldPixels, Segmentation]:
    """The pixels of a field and its cells: segmented here, or read from the source's masks.

    Raises
    ------
    FieldError
        If it cannot be read or has no cells.
    """
    field = read_field_pixels(source, field_id)
    if source.masks is not None:
        return field, read_masks(source, field_id, field)
    return field, segment(field.pixels, field_id, source.options.chosen_stains.absent)


def read_one(source: FieldSource, field_id: str, settings: ExtractSettings) -> ReadField | UnreadField:
    """Read one field with its cells and measure it as a whole."""
    try:
        field, found = read_cells(source, field_id)
    except FieldError as error:
        return UnreadField(_failed(source, field_id, error))
    labels = (found.cells, found.nuclei)
    crop = settings.network.crop if settings.network else None
    crops = crop_cells(field.pixels, *labels, crop) if crop else None
    return ReadField(_measured(source, field_id, field), field.pixels, labels, crops, found.ids)


def read_pixels(source: FieldSource, field_id: str, settings: ExtractSettings) -> ReadField | UnreadField:
    """Read one field and measure it as a whole; its cells are found later, on the device."""
    try:
        field = read_field_pixels(source, field_id)
    except FieldError as error:
        return UnreadField(_failed(source, field_id, error))
    return ReadField(_measured(source, field_id, field), field.pixels)


def _measured(source: FieldSource, field_id: str, field: FieldPixels) -> Row:
    facts = {METADATA_PIXEL_SIZE: field.facts.pixel_size, METADATA_MAX_LEVEL: field.facts.level}
    return _placed(source, field_id) | facts | measure_field(field.pixels)


def _placed(source: FieldSource, field_id: str) -> Row:
    """A field's id, and where on a plate it is."""
    place = source.places.get(field_id, NOWHERE)
    return {
        METADATA_ID: field_id, METADATA_PLATE: place.plate or None, METADATA_WELL: place.well or None,
        METADATA_SITE: place.site or None,
    }  # fmt: skip


def _failed(source: FieldSource, field_id: str, error: FieldError) -> Row:
    return _placed(source, field_id) | _refused(error)


def _refused(error: FieldError) -> Row:
    return {METADATA_PATH: error.path, METADATA_STAGE: error.stage, METADATA_ERROR: str(error)}


def batches(fields: Iterable[ReadField], device: Device) -> Iterator[list[ReadField]]:
    """Gather fields that follow each other into batches of one size and type, as large as fit.

    A full batch is measured before another field is read: a field of 3072 px and its labels have 150 MB.
    """
    batch: list[ReadField] = []
    for field in fields:
        first = batch[0].pixels if batch else field.pixels
        if (field.pixels.shape, field.pixels.dtype) != (first.shape, first.dtype):
            yield batch
            batch = []
        batch.append(field)
        if (len(batch) + 1) * field.pixels[0].size > device.batch_pixels:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass(frozen=True)
class Launched:
    """A batch that a device is measuring: arrays on the device, of cells as in `MeasuredCells`, then of fields."""

    batch: list[ReadField]
    arrays: tuple[Any, ...]


def cells_in(batch: list[ReadField], device: Device, absent: tuple[Channel, ...] = ()) -> Cells:
    """The cells of a batch on the device: read with the fields, or found here."""
    pixels = device.put(_stack([field.pixels for field in batch]))
    read = [field.labels for field in batch if field.labels is not None]
    if read:
        cells, nuclei = (device.put(_stack([labels[k] for labels in read])) for k in (0, 1))
    else:
        cells, nuclei = find_cells(pixels, device, absent)
    numbers = device.get(cells.max(axis=(1, 2)))
    if len(batch) > 1:  # ids run on from field to field
        before = device.put((np.cumsum(numbers) - numbers).astype(np.int32))[:, None, None]
        cells, nuclei = (image + before * (image > 0) for image in (cells, nuclei))
    return cells_on_device(pixels, cells, nuclei, int(numbers.sum()), device)


def _stack(images: list[np.ndarray]) -> np.ndarray:
    """Images as one stack; a single image is not copied, because a field of 3072 px has 75 MB, and its labels too."""
    return images[0][None] if len(images) == 1 else np.stack(images)


def launch(batch: list[ReadField], settings: ExtractSettings, device: Device) -> Launched:
    """Start to measure a batch; on a GPU this returns before most of the work is done."""
    cells = cells_in(batch, device, settings.absent)
    height, width = cells.cell_labels.shape[1:]
    top, left, bottom, right = cells.boxes.T
    at_border = (top == 0) | (left == 0) | (bottom == height) | (right == width)
    # the network needs much memory, and what the families share is not made yet
    embedded = [] if settings.network is None else [embed_cells(cells, settings.network)]
    values = device.xp.concatenate([measure_families(cells, all_columns=settings.all_columns), *embedded], axis=1)
    of_cells = (cells.field, cells.centroids("Cells"), at_border, values)
    return Launched(batch, (*of_cells, (cells.cell_labels > 0).sum(axis=(1, 2)), cells.nucleus_diameter))


def fetch(launched: Launched, settings: ExtractSettings, device: Device) -> MeasuredCells:
    """Wait for a batch and copy it to the host; a network of crops adds its vector of each cell."""
    field, centres, at_border, values, covered, diameters = map(device.get, launched.arrays)
    counts = np.bincount(field, minlength=len(launched.batch))
    rows = tuple(map(_completed, launched.batch, counts, covered, diameters))
    if settings.absent:
        absent = _columns_of(settings.absent, settings.all_columns)  # the families come first
        values[:, np.flatnonzero(absent)] = np.nan
    if settings.network is not None and settings.network.crop is not None:
        vectors = open_crops(settings.network, device.name)
        crops = [read.crops for read in launched.batch if read.crops is not None]
        values = np.hstack([values, vectors(np.concatenate(crops))])
    mask_ids = [read.mask_ids for read in launched.batch if read.mask_ids is not None]
    return MeasuredCells(
        rows, field, centres, at_border, values, np.concatenate(mask_ids, dtype=np.int64) if mask_ids else None
    )


def _completed(read: ReadField, n_cells: int, covered: int, diameter: float) -> Row:
    """The row of a field once its cells are known."""
    if n_cells == 0:
        field_id = str(read.row[METADATA_ID])
        return {name: read.row[name] for name in PLACE if name in read.row} | _refused(no_nuclei(read.pixels, field_id))
    return read.row | count_cells(n_cells, covered, diameter, read.pixels[0].size)


def cell_columns(settings: ExtractSettings) -> tuple[Column, ...]:
    """The columns of `MeasuredCells.values`: all families', then the network's."""
    return columns(all_columns=settings.all_columns) + embedding_columns(settings)


@lru_cache
def _columns_of(channels: tuple[Channel, ...], all_columns: bool) -> np.ndarray:
    """Which of the families' columns are computed from one of some channels."""
    return np.array([not set(channels).isdisjoint(column.channels) for column in columns(all_columns=all_columns)])
