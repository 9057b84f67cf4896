"""Nuclei from the nucleus channel: threshold by the brightness of nearby nuclei, split at dark gaps and at necks.

Every length is a multiple of the typical nucleus radius, estimated from a first rough threshold, so that resolution
does not matter.
"""

import numpy as np

from features.core.device import Device
from features.segmentation.fixed_point import disc_area, gaussian_weights, whole_pixels

_DARK = 12  # below this, on the 0..255 scale, there is no nucleus
_FEWEST = 16  # pixels above it that a field with nuclei has
_LOCAL = 0.58  # a nuclear pixel is brighter than this share of the nuclei around it,
_FLOOR, _CEILING = 0.5, 1.3  # but the local threshold stays between these shares of the global one
_GAP = 0.81  # pixels darker than this share of their surroundings may be a gap between two nuclei
_NECK = 0.78  # two lobes are two nuclei if the neck is thinner than this share of the smaller lobe
_SPECK = 0.12  # objects smaller than this share of the typical nucleus are specks
_HOLE = 0.8  # holes up to this share of the typical nucleus are nucleoli
_FINENESS = 8  # smoothed distances are measured in fortieths of a px
_BLOCK = 4  # local means are found on blocks of this side in px
_TOP = 255


def find_nuclei(planes: np.ndarray, device: Device) -> tuple[np.ndarray, np.ndarray]:
    """Label the nuclei of each field. On a GPU this waits once, for thresholds and radii.

    Parameters
    ----------
    planes : ndarray of uint8, shape (n_fields, H, W)
        The nucleus channels on a square-root scale, their brightest parts near 255.
    device : Device
        Where the planes are.

    Returns
    -------
    labels : ndarray of int32, shape (n_fields, H, W)
        1..n in each field; all 0 where there are none.
    radii : ndarray of float64, shape (n_fields,)
        Typical nucleus radius in px, on the host; at least 2.
    """
    rough = device.kernels.planes.mean_of_nine(planes)
    levels = device.kernels.planes.otsu(rough, _DARK, _FEWEST)
    radii = device.kernels.chamfer.typical_radius(rough > levels.astype(np.uint8)[:, None, None])
    levels, radii = device.get(levels), device.get(radii)
    smooth = device.kernels.smoothing.gaussian(planes, *gaussian_weights(np.maximum(0.08 * radii, 1.0)))
    mask = _bright(smooth, levels, radii, device)
    return _divide(mask, _without_gaps(mask, smooth, radii, device), smooth, radii, device), radii


def _bright(smooth: np.ndarray, levels: np.ndarray, radii: np.ndarray, device: Device) -> np.ndarray:
    """Masks of pixels that are bright for their surroundings, with smooth outlines and without holes."""
    planes, outline = device.kernels.planes, device.kernels.outline
    floor = device.put((_FLOOR * levels).astype(np.uint8))[:, None, None]
    around = device.kernels.smoothing.local_mean(smooth, smooth > floor, whole_pixels(2.5 * radii / _BLOCK))
    bounds = (share * levels[:, None] for share in (_FLOOR, _CEILING))
    least = np.clip(_LOCAL * np.arange(_TOP + 1), *bounds).astype(np.uint8)
    mask = outline.even_out(smooth > planes.look_up(around, least), whole_pixels(0.25 * radii))
    return outline.opened(outline.fill_holes(mask, _HOLE * disc_area(radii)), whole_pixels(0.25 * radii))


def _without_gaps(mask: np.ndarray, smooth: np.ndarray, radii: np.ndarray, device: Device) -> np.ndarray:
    """The masks without dark gaps between two nuclei."""
    planes, outline = device.kernels.planes, device.kernels.outline
    around = device.kernels.smoothing.local_mean(smooth, mask, whole_pixels(1.2 * radii / _BLOCK))
    dark = np.tile((_GAP * np.arange(_TOP + 1)).astype(np.uint8), (len(radii), 1))
    core = outline.even_out(mask & (smooth >= planes.look_up(around, dark)), whole_pixels(0.1 * radii))
    return outline.fill_holes(core, _HOLE * disc_area(radii))


def _divide(mask: np.ndarray, core: np.ndarray, smooth: np.ndarray, radii: np.ndarray, device: Device) -> np.ndarray:
    """Split the core at its necks, drop specks, and give the rest of the mask to the lobes along dark lines.

    Nuclei at the image border are split as if they went on beyond it.
    """
    segment = device.kernels.segment
    distance = device.kernels.chamfer.distances(core) * np.uint16(_FINENESS)
    distance = device.kernels.smoothing.gaussian(distance, *gaussian_weights(np.maximum(0.12 * radii, 0.7)))
    smallest = np.maximum(_SPECK * disc_area(radii), 12).astype(np.int64)
    seeds = segment.split_by_depth(distance * core, _NECK, smallest)
    return segment.flood(seeds, _TOP + 1 - smooth.astype(np.uint16), mask)
