"""Cells of fields: nuclei from the nucleus channel, grown over microtubules and ER, or over what there is of them.

The protein is used only in images that have neither.
"""

from dataclasses import dataclass

import numpy as np

from engine.errors import FieldError
from features.core.device import Device, open_device
from features.segmentation.fixed_point import disc_area, gaussian_weights, whole_pixels
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
    ids : ndarray of int, shape (n,), or None
        The ids that the cells have in masks made elsewhere; None if there are none.
    """

    cells: np.ndarray
    nuclei: np.ndarray
    ids: np.ndarray | None = None

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
    if nuclei.max(initial=0) == 0:
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
    shrink = _shrink_factor(pixels)
    nuclei, radii = find_nuclei(_root_scale(pixels, NUCLEUS, device), device)
    cells = _grow_cells(nuclei, *_body(pixels, absent, device), radii, device)
    if shrink > 1:
        cells, nuclei = (device.kernels.outline.enlarge(labels, shrink, height, width) for labels in (cells, nuclei))
        nuclei *= nuclei == cells
    return cells, nuclei


def nuclei_alone(pixels: np.ndarray) -> np.ndarray:
    """Find the nuclei of a field on the CPU: uint8 or uint16 (4, H, W) to ids 1..n, int32 (H, W); perhaps none."""
    device = open_device("cpu")
    nuclei, _ = find_nuclei(_root_scale(pixels[None], NUCLEUS, device), device)
    shrink = _shrink_factor(pixels)
    return device.kernels.outline.enlarge(nuclei, shrink, *pixels.shape[1:])[0] if shrink > 1 else nuclei[0]


def grow_cells(
    nuclei: np.ndarray, pixels: np.ndarray, absent: tuple[Channel, ...] = (), inside: np.ndarray | None = None
) -> np.ndarray:
    """Grow a cell from each given nucleus, on the CPU.

    Parameters
    ----------
    nuclei : ndarray of int32, shape (H, W)
        Ids 1..n.
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    absent : tuple of Channel
        Stains that the images do not have.
    inside : ndarray of bool, shape (H, W), optional
        Where cells are; by default where microtubules or ER are bright, around each nucleus.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Each cell has the id of its nucleus and holds it.
    """
    device = open_device("cpu")
    height, width = nuclei.shape
    shrink = _shrink_factor(pixels)
    areas = np.bincount(nuclei.ravel())[1:]
    radii = np.array([max(np.sqrt(np.median(areas[areas > 0]) / np.pi) / shrink, 2.0) if areas.any() else 2.0])
    seeds, mask = _sampled(nuclei, shrink)[None], None if inside is None else _sampled(inside, shrink)[None]
    cells = _grow_cells(seeds, *_body(pixels[None], absent, device), radii, device, mask)
    if shrink > 1:
        cells = device.kernels.outline.enlarge(cells, shrink, height, width)
    cells = cells[0] if inside is None else cells[0] * inside
    return np.where(nuclei > 0, nuclei, cells)


def _sampled(image: np.ndarray, times: int) -> np.ndarray:
    """One pixel of each block of an image, so that its size is that of `shrink`."""
    rows, columns = (np.minimum(np.arange(-(-side // times)) * times + times // 2, side - 1) for side in image.shape)
    return np.ascontiguousarray(image[np.ix_(rows, columns)])


def _shrink_factor(pixels: np.ndarray) -> int:
    return max(1, round(max(pixels.shape[-2:]) / _WORK_SIDE))


def _root_scale(pixels: np.ndarray, channel: Channel, device: Device) -> np.ndarray:
    """A channel of some fields on a square-root scale, in the size that cells are found at."""
    shrink = _shrink_factor(pixels)
    planes = device.xp.ascontiguousarray(pixels[:, channel.index])
    return device.kernels.planes.root_scale(device.kernels.planes.shrink(planes, shrink) if shrink > 1 else planes)


def _body(pixels: np.ndarray, absent: tuple[Channel, ...], device: Device) -> tuple[np.ndarray, float]:
    """The planes to grow cells over, on a square-root scale, and the ring that every cell has (see `_grow_cells`)."""
    of_body = [channel for channel in (MICROTUBULES, ER) if channel not in absent]
    body = _root_scale(pixels, of_body[0] if of_body else PROTEIN, device)
    if len(of_body) == 2:
        er = _root_scale(pixels, ER, device)
        body = (body & er) + ((body ^ er) >> 1)  # the mean of both
    return body, 0.0 if of_body else _RING


def _grow_cells(
    nuclei: np.ndarray, body: np.ndarray, ring: float, radii: np.ndarray, device: Device,
    inside: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Watershed from the nuclei over the lit pixels: cells meet in the dark valleys between them, or halfway.

    `body` are the planes to grow over, on a square-root scale; pixels within `ring` nucleus radii count as lit. With
    `inside`, cells fill this mask instead.
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
    rise = distance * slope
    rise >>= 16
    relief = rise.astype(np.uint16)
    relief += 256
    relief -= body
    inside = foreground & (distance < reach) if inside is None else inside
    return kernels.segment.flood(nuclei, relief, inside)


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
