"""From stained structures to the 8-bit picture of a camera: gain, blur, photon and readout noise, clipping."""

from dataclasses import dataclass

import cv2
import numpy as np

from simulate.brush import blur


@dataclass(frozen=True)
class Camera:
    """How one field is photographed. Arrays hold one number per channel: microtubules, protein, nucleus, ER.

    Attributes
    ----------
    gain : ndarray of float32, shape (4,)
        Grey levels (of 255) of a fully stained structure.
    photons : ndarray of float32, shape (4,)
        Photons per grey level: few make a noisy picture.
    focus : float
        Standard deviation of the blur, px.
    offset : float
        Grey levels that are cut off at the dark end.
    readout : float
        Standard deviation of the readout noise, grey levels.
    crosstalk : float
        Share of the ER channel that shows in the protein channel.
    """

    gain: np.ndarray
    photons: np.ndarray
    focus: float
    offset: float
    readout: float
    crosstalk: float


def set_up_camera(protein_gain: float, rng: np.random.Generator) -> Camera:
    """A camera for one field: most are well exposed and sharp, some dim, noisy or out of focus."""
    dimmed = rng.choice([1.0, rng.uniform(0.05, 0.5)], p=[0.85, 0.15])
    gain = np.array([170, 0, 165, 235]) * rng.lognormal(0, 0.3, 4) * dimmed
    gain[1] = protein_gain * rng.lognormal(0, 0.12) * np.sqrt(dimmed)
    photons = np.exp(rng.normal(np.log([0.12, 0.12, 0.35, 0.32]), 0.5))
    focus = 0.35 + rng.gamma(2.0, 0.1) + rng.choice([0.0, rng.uniform(0.5, 1.4)], p=[0.93, 0.07])
    return Camera(
        gain.astype(np.float32),
        photons.astype(np.float32),
        float(focus),
        float(rng.uniform(1, 5)),
        float(rng.gamma(2, 0.5)),
        float(rng.choice([0.0, rng.uniform(0, 0.08)])),
    )


def photograph(planes: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """The picture of a stained field.

    Photon noise is normal, with the variance of a Poisson count; readout noise and clipping at 0 hide the difference.

    Parameters
    ----------
    planes : ndarray of float32, shape (4, H, W)
        Staining, 0 to about 1 (more where structures overlap).

    Returns
    -------
    ndarray of uint8, shape (4, H, W)
    """
    picture = np.empty(planes.shape, np.uint8)
    for channel, plane in enumerate(planes):
        if channel == 1 and camera.crosstalk:
            plane = plane + np.float32(camera.crosstalk) * planes[3]
        light = blur(plane, camera.focus) * camera.gain[channel]
        spread = np.sqrt(light / camera.photons[channel] + np.float32(camera.readout**2))
        light += spread * rng.standard_normal(light.shape, np.float32)
        light -= np.float32(camera.offset)
        cv2.convertScaleAbs(np.maximum(light, 0, out=light), dst=picture[channel])
    return picture
