"""Drawing: outlines in polar form, strokes, round spots, smooth noise."""

from dataclasses import dataclass

import cv2
import numpy as np

N_ANGLES = 256
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Outline:
    """A star-shaped closed curve: a radius for each direction.

    Attributes
    ----------
    x, y : float
        Centre in px of the field.
    radii : ndarray of float32, shape (256,)
        Radius in px at the angles 2 pi k / 256, counted from +x towards +y.
    """

    x: float
    y: float
    radii: np.ndarray

    def points(self, angle: np.ndarray, reach: np.ndarray) -> np.ndarray:
        """Positions (x, y) at angles in radians and at a share `reach` of the way from centre to curve."""
        k = (angle * (N_ANGLES / (2 * np.pi))).astype(np.intp) % N_ANGLES
        radius = self.radii[k] * reach
        return np.stack([self.x + radius * np.cos(angle), self.y + radius * np.sin(angle)], -1)

    def reach(self, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """Share of the way from centre to curve at offsets from the centre: below 1 inside. float32."""
        radius, angle = cv2.cartToPolar(dx, dy)
        k = (angle * np.float32(N_ANGLES / (2 * np.pi))).astype(np.int32) & (N_ANGLES - 1)
        return radius / self.radii[k]


def angles() -> np.ndarray:
    """The angles of `Outline.radii`, in radians."""
    return np.arange(N_ANGLES, dtype=np.float32) * np.float32(2 * np.pi / N_ANGLES)


def ellipse_radii(radius: float, aspect: float, direction: float) -> np.ndarray:
    """Radii of an ellipse with the area of a circle of `radius`; its long axis points in `direction` (radians)."""
    a, b = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    t = angles() - direction
    return (a * b / np.sqrt((b * np.cos(t)) ** 2 + (a * np.sin(t)) ** 2)).astype(np.float32)


def wobble(strength: float, waves: range, rng: np.random.Generator) -> np.ndarray:
    """A smooth random factor around 1 for each direction: waves around the circle, the shorter the lower."""
    k = np.array(waves, np.float32)[:, None]
    phase, size = rng.uniform(0, 2 * np.pi, k.shape), rng.normal(0, strength * waves[0] / k)
    ripples = np.cos(k * angles() + phase.astype(np.float32)) * size.astype(np.float32)
    return np.clip(1 + ripples.sum(0), 0.5, 1.8)


def spots(shape: tuple[int, int], centres: np.ndarray, sigma: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Sum of round Gaussian spots.

    Parameters
    ----------
    shape : tuple of int
    centres : ndarray, shape (n, 2)
        x, y in px; may lie outside.
    sigma, height : ndarray, shape (n,)
    """
    out = np.zeros(shape, np.float32)
    if not len(centres):
        return out
    half = int(np.ceil(2.6 * sigma.max()))
    grid = np.arange(-half, half + 1)
    corner = np.floor(centres).astype(int)
    offset = (centres - corner)[:, :, None] - grid
    profile = np.exp(-0.5 * (offset / sigma[:, None, None]) ** 2)
    patches = profile[:, 1, :, None] * (profile[:, 0] * height[:, None])[:, None, :]
    y, x = (corner[:, 1, None] + grid)[:, :, None], (corner[:, 0, None] + grid)[:, None, :]
    valid = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    flat = (y * shape[1] + x)[valid]
    return np.bincount(flat, patches[valid], out.size).reshape(shape).astype(np.float32)


def strokes(shape: tuple[int, int], lines: np.ndarray, width: int = 1, layers: int = 3) -> np.ndarray:
    """Anti-aliased polylines, brighter where those of different layers cross; float32 from 0 to 1.

    Parameters
    ----------
    shape : tuple of int
    lines : ndarray, shape (n, m, 2)
        n lines of m points, x and y in px; may leave the picture.
    width : int
        In px.
    layers : int
        Number of layers that the lines are divided among; the layers add up.
    """
    total = np.zeros(shape, np.uint8)
    fixed = np.round(lines * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    for k in range(min(layers, len(lines))):
        layer = np.zeros(shape, np.uint8)
        cv2.polylines(layer, list(fixed[k::layers]), False, 255 // layers, width, cv2.LINE_AA, _SUBPIXEL_BITS)
        total = cv2.add(total, layer)
    return total.astype(np.float32) / np.float32(255)


def wander(start: np.ndarray, direction: np.ndarray, step: float, n: int, bend: float, rng) -> np.ndarray:
    """Lines (k, n, 2) that start at (k, 2) in `direction` (k,) and turn by N(0, bend) radians at each step of px."""
    turns = rng.normal(0, bend, (len(start), n - 1))
    heading = direction[:, None] + np.cumsum(turns, 1)
    moves = step * np.stack([np.cos(heading), np.sin(heading)], -1)
    return np.concatenate([start[:, None], start[:, None] + np.cumsum(moves, 1)], 1)


def scatter(density: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n positions (n, 2), x and y in px, drawn with a probability in proportion to `density`; none where it is 0."""
    cumulated = np.cumsum(density.ravel(), dtype=np.float64)
    if n <= 0 or not cumulated.size or cumulated[-1] <= 0:
        return np.zeros((0, 2))
    at = np.searchsorted(cumulated, rng.random(n) * cumulated[-1], side="right")
    y, x = np.divmod(np.minimum(at, density.size - 1), density.shape[1])
    return np.stack([x, y], -1) + rng.uniform(-0.5, 0.5, (n, 2))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of mean 0 and sd 1 that is smooth over `sigma` px, float32."""
    coarse = max(1, int(sigma / 0.9))
    small = rng.standard_normal((shape[0] // coarse + 2, shape[1] // coarse + 2), np.float32)
    small = blur(small, sigma / coarse)
    image = small if coarse == 1 else cv2.resize(small, None, fx=coarse, fy=coarse, interpolation=cv2.INTER_LINEAR)
    image = image[: shape[0], : shape[1]]
    return (image - image.mean()) / max(float(image.std()), 1e-6)
