"""One cell as each family of features sees it, as small coloured maps: what `benchmarks.pictures` shows of a cell.

The maps use the families' own distances, levels, spots and constants, so that they show what is measured; grains and
threads are drawn with OpenCV's likes of the kernels, which give sums and no maps.
"""

from collections.abc import Callable

import cv2
import matplotlib
import numpy as np

from benchmarks.cell_view import (
    BLUE,
    GREEN,
    GREY,
    GROUND,
    ORANGE,
    PINK,
    RED,
    SCALE,
    SKY,
    WHITE,
    YELLOW,
    View,
    enlarged,
    in_classes,
    in_levels,
)
from features import colocalization, granularity, local_binary_pattern, proximity, radial, spots, texture
from features.core.maxima import find_maxima
from features.core.packed_crops import pack_crops
from features.embedding.field_maps import protein_and_nuclei, relative_levels
from report.drawing import brightened, in_colour
from store.channels import ER, MICROTUBULES, PROTEIN


def the_cell(view: View) -> np.ndarray:
    """The cell among its neighbours, in HPA's colours."""
    whole = in_colour(view.cells.pixels[0])[..., ::-1]
    return enlarged(view, whole[view.window])


def intensity_map(view: View) -> np.ndarray:
    """The protein's levels in the cell."""
    return enlarged(view, in_levels(view, brightened(view.plane(PROTEIN).astype(np.uint16)), 0, 255))


def shape_map(view: View) -> np.ndarray:
    """Cell and nucleus with their convex hull and longest extent, and the line between their centres."""
    image = in_classes(view, view.nucleus.astype(int), (BLUE, SKY))
    image = enlarged(view, image)
    for mask, colour in ((view.cell, ORANGE), (view.nucleus, YELLOW)):
        y, x = np.nonzero(mask)
        points = np.stack([x, y], 1) * SCALE + SCALE // 2
        hull = cv2.convexHull(points.astype(np.int32))[:, 0]
        cv2.polylines(image, [hull], True, colour, 2, cv2.LINE_AA)
        apart = np.linalg.norm(hull[:, None] - hull[None], axis=2)
        a, b = np.unravel_index(int(apart.argmax()), apart.shape)
        cv2.line(image, hull[a].tolist(), hull[b].tolist(), colour, 2, cv2.LINE_AA)
    return image


def rings_map(view: View) -> np.ndarray:
    """The four rings from the nucleus' centre to the cell border, and the eight wedges."""
    y, x = np.indices(view.cell.shape)
    centre = view.cells.nucleus_centres[view.index] - view.corner
    away = np.hypot(y - centre[0], x - centre[1])
    ring = (radial.RINGS * away / (away + view.distance("distance_to_cell_border") + 1e-3)).astype(int)
    image = enlarged(view, in_classes(view, ring, (YELLOW, ORANGE, PINK, BLUE)))
    middle = (centre[::-1] * SCALE + SCALE / 2).astype(int)
    size = (image.shape[1], image.shape[0])
    inside = cv2.resize(view.cell.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    spokes = np.zeros(image.shape[:2], np.uint8)
    for wedge in range(8):
        end = middle + 4000 * np.array([np.cos(wedge * np.pi / 4), np.sin(wedge * np.pi / 4)])
        cv2.line(spokes, middle.tolist(), end.astype(int).tolist(), 255, 2)
    image[inside & (spokes > 0)] = GROUND
    return image


def borders_map(view: View) -> np.ndarray:
    """Bands of distance to the cell border, and to both sides of the nuclear border."""
    bands = np.digitize(view.distance("distance_to_cell_border"), view.unit * np.array(proximity.MEMBRANE) + 0.5)
    signed = view.distance("distance_to_nucleus") - view.distance("distance_inside_nucleus")
    edges = view.unit * np.array(proximity.RIM) + 0.5 * np.sign(proximity.RIM)
    rim = np.digitize(signed, edges)
    classes = np.where((rim >= 1) & (rim <= 4), 4 + rim, bands)
    colours = (YELLOW, ORANGE, RED, PINK, GREY, (0, 80, 130), SKY, WHITE, GREEN)
    return enlarged(view, in_classes(view, classes, colours))


def microtubules_map(view: View) -> np.ndarray:
    """Bands of distance to the brightest quarter of the cytoplasm's microtubules."""
    cytoplasm = view.cell & ~view.nucleus
    plane = view.plane(MICROTUBULES)
    bright = cytoplasm & (plane > np.quantile(plane[cytoplasm], 1 - proximity.BRIGHT_SHARE))
    away = cv2.distanceTransform((~bright).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    bands = np.digitize(away, view.unit * np.array(proximity.BRIGHT))
    return enlarged(view, in_classes(view, bands, (RED, ORANGE, YELLOW, GREY), cytoplasm))


def together_map(view: View) -> np.ndarray:
    """Where the protein, the ER, or both are lit."""
    protein, er = (
        view.plane(channel) >= colocalization.LIT * view.plane(channel)[view.cell].max() for channel in (PROTEIN, ER)
    )
    return enlarged(view, in_classes(view, 2 * protein + er, (GREY, BLUE, ORANGE, WHITE)))


def spots_map(view: View) -> np.ndarray:
    """The protein with its fine (small circles) and coarse spots (large ones)."""
    cells = view.cells
    crops = pack_crops(cells, {PROTEIN: 0})
    levels = np.stack([cells.mean_level(part, PROTEIN) for part in ("Cytoplasm", "Nuclei")], 1)
    grey = brightened(view.plane(PROTEIN).astype(np.uint16)) * view.cell
    image = enlarged(view, np.dstack([np.maximum(grey, 24)] * 3).astype(np.uint8))
    for band, (colour, radius) in enumerate(((ORANGE, 9), (SKY, 17))):
        points, noise = find_maxima(PROTEIN, band, spots.PROMINENCE, crops, cells)
        part = crops.parts[points.packed] - 1
        least = np.maximum(spots.NOISE * noise[points.owner, part], spots.CONTRAST * levels[points.owner, part])
        kept = (points.owner == view.index) & (points.response > least)
        offset = cells.boxes[view.index, :2] - view.corner
        for y, x in zip(points.y[kept] + offset[0], points.x[kept] + offset[1], strict=True):
            middle = (int(x * SCALE + SCALE // 2), int(y * SCALE + SCALE // 2))
            cv2.circle(image, middle, radius, colour, 3, cv2.LINE_AA)
    return image


def texture_map(view: View) -> np.ndarray:
    """The microtubules in the 32 levels whose pairs are counted."""
    plane = view.plane(MICROTUBULES)
    mine = plane[view.cell].astype(np.int64)
    cuts = texture.level_cuts(mine.min(keepdims=True), mine.max(keepdims=True))[0]
    return enlarged(view, in_levels(view, np.digitize(plane, cuts, right=True), 0, texture.N_LEVELS - 1))


def grains_map(view: View) -> np.ndarray:
    """At which radius of the opening a pixel of the protein loses most."""
    plane = view.plane(PROTEIN) * view.cell
    left, lost = plane, [np.full(plane.shape, 0.1 * plane.max(), np.float32)]
    for radius in granularity.RADII:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        opened = np.minimum(cv2.morphologyEx(plane, cv2.MORPH_OPEN, disc), left)
        lost.append(left - opened)
        left = opened
    at = np.argmax(lost, axis=0)
    classes = np.digitize(at, (1, 2, 3, 5))
    return enlarged(view, in_classes(view, classes, (GREY, YELLOW, ORANGE, PINK, BLUE)))


def threads_map(view: View) -> np.ndarray:
    """Threads of the microtubules (ridges) and dots of the protein (blobs), by the signs of their curvature."""
    image = np.full((*view.cell.shape, 3), GROUND, np.uint8)
    for channel, k, colour in ((MICROTUBULES, 0, SKY), (PROTEIN, 1, ORANGE)):
        smooth = cv2.GaussianBlur(view.plane(channel), (0, 0), 1.6)
        xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((2, 0), (0, 2), (1, 1)))
        trace, root = xx + yy, np.hypot(xx - yy, 2 * xy)
        part = (np.maximum(np.minimum(root, -trace), 0), np.maximum(-trace - root, 0))[k]
        share = np.clip(part / np.quantile(part[view.cell], 0.985), 0, 1)[..., None]
        image = np.maximum(image, (share * np.array(colour)).astype(np.uint8))
    image[~view.cell] = GROUND
    return enlarged(view, image)


def patterns_map(view: View) -> np.ndarray:
    """The local pattern of each pixel of the microtubules: how many of 8 points around it are at least as bright."""
    radius = local_binary_pattern.RADII[1]
    plane = view.plane(MICROTUBULES)
    angles = np.arange(8) * np.pi / 4
    rows, columns = np.indices(plane.shape, np.float32)
    around = [
        cv2.remap(plane, columns + np.float32(radius * np.cos(a)), rows - np.float32(radius * np.sin(a)), 1)
        for a in angles
    ]
    above = np.stack(around) >= plane - 1e-3
    changes = (above != np.roll(above, 1, axis=0)).sum(axis=0)
    bins = np.where(changes <= 2, above.sum(axis=0), 9)
    classes = np.array([0, 1, 1, 2, 2, 2, 3, 3, 4, -1])[bins]
    return enlarged(view, in_classes(view, classes, (YELLOW, ORANGE, PINK, BLUE, GREY)))


def adjacency_map(view: View) -> np.ndarray:
    """How many of the 8 neighbours of a pixel above the protein's mean level lie above it too."""
    plane = view.plane(PROTEIN)
    above = (view.cell & (plane > plane[view.cell].mean())).astype(np.float32)
    count = cv2.filter2D(above, -1, np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.float32))
    classes = np.where(above > 0, np.digitize(count, (2.5, 5.5, 7.5)), -1)
    return enlarged(view, in_classes(view, classes, (YELLOW, ORANGE, PINK, BLUE)))


def wave_map(view: View) -> np.ndarray:
    """One of the waves on the cell's disc, degree 5 with 3 lobes."""
    y, x = np.nonzero(view.cell)
    centre = np.array([y.mean(), x.mean()])
    radius = np.hypot(y - centre[0], x - centre[1]).max() + 0.5
    rows, columns = (np.indices(view.cell.shape) - centre[:, None, None]) / radius
    r, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    wave = (5 * r**5 - 4 * r**3) * np.cos(3 * angle)
    colours = (255 * matplotlib.colormaps["PuOr"](0.5 + 0.5 * wave / 0.9)[..., :3]).astype(np.uint8)
    colours[r > 1] = GROUND
    colours[~view.cell & (r <= 1)] = colours[~view.cell & (r <= 1)] // 3
    return enlarged(view, colours)


def neighbours_map(view: View) -> np.ndarray:
    """The cells around: contact in orange, free edge in blue, and the line to the nearest nucleus."""
    labels = view.cells.cell_labels[0][view.window]
    image = np.full((*labels.shape, 3), GROUND, np.uint8)
    image[labels > 0] = GREY
    image[view.cells.nucleus_labels[0][view.window] > 0] = (120, 120, 130)
    others = ((labels > 0) & ~view.cell).astype(np.uint8)
    gap = max(2, round(0.04 * view.unit))
    near = cv2.distanceTransform(1 - others, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= gap
    rim = view.cell & (view.distance("distance_to_cell_border") <= gap)
    image = enlarged(view, image)
    size = image.shape[1::-1]
    for mask, colour in ((rim & ~near, SKY), (rim & near, ORANGE)):
        image[cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0] = colour
    centres = view.cells.nucleus_centres - view.corner
    away = np.hypot(*(centres - centres[view.index]).T)
    away[view.index] = np.inf
    a, b = ((centres[k][::-1] * SCALE).astype(int).tolist() for k in (view.index, int(np.nanargmin(away))))
    cv2.line(image, a, b, YELLOW, 3, cv2.LINE_AA)
    return image


def network_map(view: View) -> np.ndarray:
    """The cell as the pretrained network is shown it."""
    level = relative_levels(view.cells.pixels[:, PROTEIN.index], view.cells.device)
    shown = protein_and_nuclei(view.cells, level)[0, [0, 0, 1]][:, *view.window].transpose(1, 2, 0)
    return enlarged(view, (255 * shown).astype(np.uint8))


MAPS: dict[str, tuple[str, Callable[[View], np.ndarray]]] = {
    "the cell": ("in HPA's colours", the_cell),
    "Intensity": ("how bright, where", intensity_map),
    "AreaShape": ("hull, length, offset", shape_map),
    "RadialDistribution": ("rings and wedges", rings_map),
    "Proximity": ("borders", borders_map),
    "Proximity ": ("bright microtubules", microtubules_map),
    "Correlation": ("protein, ER, both", together_map),
    "Spots": ("fine and coarse", spots_map),
    "Texture": ("32 levels in pairs", texture_map),
    "Granularity": ("size of the grains", grains_map),
    "Gradient": ("threads and dots", threads_map),
    "BinaryPattern": ("specks, ends, edges", patterns_map),
    "ThresholdAdjacency": ("bright neighbours", adjacency_map),
    "Zernike": ("one of 29 waves", wave_map),
    "Neighbors": ("contact, free edge", neighbours_map),
    "Embedding": ("what the network sees", network_map),
}
"""Title, subtitle and map of each panel."""
