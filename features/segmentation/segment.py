"""Cells of fields: nuclei from the nucleus channel, grown over microtubules and ER, or over what there is of them.

The protein is used only in images that have neither.
"""

from dataclasses import dataclass

import numpy as np

from engine.errors import FieldError
from features.core.device import Device, open_device
from features.segmentation.fixed_point import disc_area, gaussian_weights, padded, unpadded, whole_pixels
from features.segmentation.nuclei import find_nuclei
from store.channels import ER, MICROTUBULES, NUCLEUS, PROTEIN, Channel

_WORK_SIDE = 512  # fields at least twice as large are segmented at a half, a third ... of their size
_LIT = 34  # a cell is brighter than this on the 0..255 square-root scale
_SLOPE = 60.0  # rise of the relief per nucleus radius of distance from the nearest nucleus
_VACUOLE = 0.3  # dark holes in a cell up to this share of a nucleus belong to it
_REACH = 8.0  # a cell ends at this many nucleus radii from its nucleus
_RING = 1.0  # without microtubules and ER, a cell has at least this many nucleus radii of cytoplasm around its nucleus
_UNITS = 5  # of distance maps, in a px


@dataclass(frozen=True)
class Segmentation:
    """The cells of one field.

    Attributes
    ----------
    cells, nuclei : ndarray of int32, shape (H, W)
        Ids 1..n without gaps, 0 is background. A nucleus carries the id of its cell and lies inside it.
    """

    cells: np.ndarray
    nuclei: np.ndarray

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.cells.max(initial=0))


def segment(pixels: np.ndarray, field: str = "", absent: tuple[Channel, ...] = ()) -> Segmentation:
    """Find the cells of a field on the CPU; each has exactly one connected nucleus.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    field : str
        Its id, for the message of an error.
    absent : tuple of Channel
        Stains that the images do not have.

    Raises
    ------
    FieldError
        Of stage "segment", if there is no nucleus.
    """
    cells, nuclei = find_cells(pixels[None], open_device("cpu"), absent)
    if not nuclei.any():
        raise no_nuclei(pixels, field)
    return Segmentation(cells[0], nuclei[0])


def find_cells(pixels: np.ndarray, device: Device, absent: tuple[Channel, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Find the cells of a batch of fields, the same on every device. On a GPU this waits once.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, 4, H, W)
        On the device.
    device : Device
    absent : tuple of Channel
        Stains that the images do not have. The cells are grown over the other one of microtubules and ER; without both,
        over the protein, each with a ring of cytoplasm at least.

    Returns
    -------
    cells, nuclei : ndarray of int32, shape (n_fields, H, W)
        Ids 1..n in each field, as in `Segmentation`; all 0 in a field without nuclei.
    """
    height, width = pixels.shape[2:]
    shrink = max(1, round(max(height, width) / _WORK_SIDE))

    def root_scale(channel: Channel) -> np.ndarray:
        planes = device.xp.ascontiguousarray(pixels[:, channel.index])
        return device.kernels.planes.root_scale(device.kernels.planes.shrink(planes, shrink) if shrink > 1 else planes)

    nuclei, radii = find_nuclei(root_scale(NUCLEUS), device)
    of_body = [channel for channel in (MICROTUBULES, ER) if channel not in absent]
    body = root_scale(of_body[0] if of_body else PROTEIN)
    if len(of_body) == 2:
        er = root_scale(ER)
        body = (body & er) + ((body ^ er) >> 1)  # the mean of both
    cells = _grow_cells(nuclei, body, 0.0 if of_body else _RING, radii, device)
    if shrink > 1:
        cells, nuclei = (device.kernels.outline.enlarge(labels, shrink, height, width) for labels in (cells, nuclei))
        nuclei *= nuclei == cells
    return cells, nuclei


def _grow_cells(nuclei: np.ndarray, body: np.ndarray, ring: float, radii: np.ndarray, device: Device) -> np.ndarray:
    """Watershed from the nuclei over the lit pixels: cells meet in the dark valleys between them, or halfway.

    `body` are the planes to grow over, on a square-root scale; pixels within `ring` nucleus radii count as lit.
    """
    kernels = device.kernels
    body = kernels.smoothing.gaussian(body, *gaussian_weights(np.maximum(0.15 * radii, 1.0)))
    foreground = kernels.outline.even_out(body > _LIT, whole_pixels(0.2 * radii))
    foreground = kernels.outline.fill_holes(foreground, _VACUOLE * disc_area(radii))
    distance = kernels.chamfer.distances(nuclei == 0)
    slope = np.rint(65536 * _SLOPE / (_UNITS * radii)).astype(np.uint32)
    reach = np.minimum(_UNITS * _REACH * radii, np.iinfo(np.uint16).max).astype(np.uint16)
    near = (_UNITS * ring * radii).astype(np.uint16)
    slope, reach, near = (device.put(numbers)[:, None, None] for numbers in (slope, reach, near))
    if ring:
        foreground = foreground | (distance < near)
    relief = (256 - body.astype(np.uint16)) + ((distance * slope) >> 16).astype(np.uint16)
    relief *= (foreground & (distance < reach)) | (nuclei > 0)
    return unpadded(kernels.segment.flood(padded(nuclei, device), padded(relief, device)), device)


def no_nuclei(pixels: np.ndarray, field: str) -> FieldError:
    """The error for a field, uint8 or uint16 (4, H, W), without nuclei."""
    top = int(pixels[NUCLEUS.index].max())
    full = np.iinfo(pixels.dtype).max
    return FieldError(
        f"field {field}: no nuclei found (nucleus channel: brightest pixel {top} of {full}). Check the field's blue "
        "image, or give masks with --masks.",
        field=field,
        stage="segment",
    )
