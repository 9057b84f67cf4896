"""A cell ready to be painted: its window of the field, its masks and distances, its nucleoli, fibres and texture."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from simulate.brush import Outline, noise
from simulate.layout import CYTOKINESIS, Body

NUCLEUS_FIRST = np.float32(0.4)
NUCLEUS_COAT = 1.15
LEAST_AREA = 40
BRIDGE_HALF_WIDTH = 2.2


@dataclass(frozen=True)
class Texture:
    """Smooth noise over a field or a window of it, mean 0 and sd 1: over about 1, 2 and 7 px.

    `net` is 1 on the zero lines of a mixture of the finer two, which form a net, and falls towards 0 in its meshes.
    """

    fine: np.ndarray
    medium: np.ndarray
    coarse: np.ndarray
    net: np.ndarray

    def window(self, window: tuple[slice, slice]) -> "Texture":
        """The part in a window."""
        return Texture(self.fine[window], self.medium[window], self.coarse[window], self.net[window])


@dataclass(frozen=True)
class Cell:
    """One cell in its window. Positions are x, y in px of the window; arrays have the window's shape (h, w).

    Attributes
    ----------
    window : tuple of slice
        Rows and columns of the field.
    body : Body
        Shape, moved to the window's coordinates.
    mask, nucleus : ndarray of bool
    contact : ndarray of bool
        Pixels of the cell within 2 px of another cell.
    texture : Texture
    scale : float
        Magnification: px per px of an average Kaggle field.
    share : float
        Part of the cell that is inside the field and not covered by others, 0 to 1.
    mtoc : ndarray, shape (2,)
        The microtubule organizing centre.
    nucleoli : ndarray, shape (k, 3)
        x, y and radius.
    fibres : ndarray, shape (n, m, 2)
        The microtubules, each from its minus end to its plus end.
    """

    window: tuple[slice, slice]
    body: Body
    mask: np.ndarray
    nucleus: np.ndarray
    contact: np.ndarray
    texture: Texture
    scale: float
    share: float
    mtoc: np.ndarray
    nucleoli: np.ndarray
    fibres: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.mask.shape

    @cached_property
    def rim(self) -> np.ndarray:
        """Distance in px to the cell's border, 0 outside; the image border is no border. float32."""
        return _distance(self.mask)

    @cached_property
    def from_nucleus(self) -> np.ndarray:
        """Distance in px to the nucleus (to the cell's middle where it lies outside the field), 0 in it. float32."""
        if self.nucleus.any():
            return _distance(~self.nucleus)
        y, x = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float32)
        middle = self.body.nuclei[0]
        return np.maximum(np.hypot(x - middle.x, y - middle.y) - self.body.radius, 0.0)

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance in px inside the nucleus to its border, 0 outside. float32."""
        return _distance(self.nucleus)

    @cached_property
    def nuclear(self) -> np.ndarray:
        """1 in the nucleus, 0 elsewhere, float32."""
        return self.nucleus.astype(np.float32)

    @cached_property
    def cytoplasm(self) -> np.ndarray:
        """1 in the cytoplasm, 0 elsewhere, float32."""
        return (self.mask & ~self.nucleus).astype(np.float32)

    @cached_property
    def thickness(self) -> np.ndarray:
        """How thick the cell is, 0 at its border to 1: the height of a flat drop. float32."""
        return 1 - np.exp(self.rim / np.float32(-0.35 * self.body.radius))

    @cached_property
    def nucleolar(self) -> np.ndarray:
        """1 in the nucleoli with soft borders, 0 elsewhere, float32."""
        out = np.zeros(self.shape, np.float32)
        for middle_x, middle_y, radius in self.nucleoli.astype(np.float32):
            low_x, low_y = max(0, int(middle_x - radius - 5)), max(0, int(middle_y - radius - 5))
            near = slice(low_y, max(0, int(middle_y + radius + 6))), slice(low_x, max(0, int(middle_x + radius + 6)))
            y, x = np.ogrid[: self.shape[0], : self.shape[1]]
            away = np.hypot(x[:, near[1]] - middle_x, y[near[0]] - middle_y) + 1.2 * self.texture.coarse[near]
            out[near] = np.maximum(out[near], np.clip((radius - away) / np.float32(1.5) + 0.5, 0, 1))
        return out * self.nuclear


def _distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel that is not in the mask; far where there is none."""
    return np.minimum(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32(1e4))


@dataclass(frozen=True)
class Claim:
    """The pixels of one cell after all cells have claimed theirs."""

    window: tuple[slice, slice]
    body: Body
    mask: np.ndarray
    nucleus: np.ndarray
    contact: np.ndarray
    share: float


def claim_pixels(bodies: list[Body], size: int) -> list[Claim]:
    """Give each pixel to the cell whose border is relatively farthest; nuclei come first.

    Cells that end up with less than `LEAST_AREA` px in the field are left out.
    """
    best = np.full((size, size), np.float32(1))
    owner = np.full((size, size), -1, np.int32)
    bodies = [body for body in bodies if all(s.stop > s.start for s in _window(body, size))]
    reaches = [_reach_in_window(body, size) for body in bodies]
    for i, (window, reach, _, _) in enumerate(reaches):
        np.copyto(owner[window], i, where=reach < best[window])
        np.minimum(best[window], reach, out=best[window])
    touching = _touching(owner)
    claims = []
    for i, (body, (window, _, nuclear, whole)) in enumerate(zip(bodies, reaches, strict=True)):
        mask = owner[window] == i
        area = np.count_nonzero(mask)
        if area >= LEAST_AREA:
            contact = mask & touching[window]
            claims.append(
                Claim(window, _moved(body, window), mask, mask & (nuclear < 1), contact, min(1.0, area / whole))
            )
    return claims


def _touching(owner: np.ndarray) -> np.ndarray:
    """Pixels of cells within 2 px of another cell; `owner` is -1 outside cells. bool, the same shape."""
    square = np.ones((5, 5), np.uint8)
    number = owner.astype(np.float32)
    highest = cv2.dilate(number, square)
    lowest = cv2.erode(np.where(owner < 0, np.float32(1e9), number), square)
    return (owner >= 0) & ((highest != number) | (lowest != number))


def _reach_in_window(body: Body, size: int) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, float]:
    """Window of a body in the field, its relative reach and that of its nuclei there, and its whole area in px."""
    window = _window(body, size)
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    reach = _least_reach(body.outlines, x, y)
    nuclear = np.full_like(reach, 9)
    near = _nuclear_part(body, window)
    nuclear[near] = _least_reach(body.nuclei, x[near[1]], y[near[0]])
    reach[near] = np.minimum(reach[near], np.where(nuclear[near] < NUCLEUS_COAT, NUCLEUS_FIRST * nuclear[near], 9))
    if body.phase == CYTOKINESIS:
        reach[_bridge(_middles(body), x, y)] = 0.3
    whole = sum(np.pi * float((outline.radii**2).mean()) for outline in body.outlines)
    return window, reach, nuclear, whole


def _middles(body: Body) -> np.ndarray:
    """Middles of the outlines, x and y: shape (1 or 2, 2)."""
    return np.array([(outline.x, outline.y) for outline in body.outlines])


def _window(body: Body, size: int) -> tuple[slice, slice]:
    """Rows and columns of the field that a body can reach; empty for one outside the field."""
    middles = _middles(body)
    extent = np.array([max(o.radii.max(), n.radii.max()) for o, n in zip(body.outlines, body.nuclei, strict=True)])
    low = np.clip(np.floor((middles - 1.2 * extent[:, None]).min(0)), 0, size).astype(int)
    high = np.clip(np.ceil((middles + 1.2 * extent[:, None]).max(0)) + 1, 0, size).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _nuclear_part(body: Body, window: tuple[slice, slice]) -> tuple[slice, slice]:
    """Rows and columns of a window that the nuclei and their coat can reach."""
    middles = np.array([(nucleus.x - window[1].start, nucleus.y - window[0].start) for nucleus in body.nuclei])
    extent = NUCLEUS_COAT * np.array([nucleus.radii.max() for nucleus in body.nuclei])[:, None] + 1
    low = np.maximum(np.floor((middles - extent).min(0)), 0).astype(int)
    high = np.maximum(np.ceil((middles + extent).max(0)) + 1, 0).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _least_reach(outlines: tuple[Outline, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The smallest relative reach over several outlines at columns x (w,) and rows y (h, 1)."""
    zero = np.zeros((y.shape[0], x.shape[0]), np.float32)
    if not zero.size:
        return zero
    return np.minimum.reduce([o.reach(zero + (x - np.float32(o.x)), zero + (y - np.float32(o.y))) for o in outlines])


def _bridge(ends: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pixels of the strip between the middles of two daughters."""
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    dx, dy = x - ends[0, 0], y - ends[0, 1]
    t = dx * along[0] + dy * along[1]
    return (abs(dy * along[0] - dx * along[1]) < BRIDGE_HALF_WIDTH) & (t > 0) & (t < np.linalg.norm(ends[1] - ends[0]))


def _moved(body: Body, window: tuple[slice, slice]) -> Body:
    """The body in the coordinates of a window."""
    dy, dx = window[0].start, window[1].start
    outlines = tuple(replace(o, x=o.x - dx, y=o.y - dy) for o in body.outlines)
    return replace(body, outlines=outlines, nuclei=tuple(replace(o, x=o.x - dx, y=o.y - dy) for o in body.nuclei))


def make_texture(size: int, rng: np.random.Generator) -> Texture:
    """Texture of a whole field."""
    fine, medium, coarse = (noise((size, size), sigma, rng) for sigma in (0.8, 1.8, 7.0))
    return Texture(fine, medium, coarse, np.exp(np.float32(-1.7) * np.abs(0.8 * medium + 0.6 * fine)))
