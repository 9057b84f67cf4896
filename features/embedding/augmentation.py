"""Augmentation: random changes of crops that keep the organelle, so that a network learns to ignore them."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from store.channels import CHANNELS


@dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation; each crop is changed by different random amounts.

    Attributes
    ----------
    zoom : float
        Size is multiplied by exp(-zoom) to exp(zoom); every angle and reflection is as likely.
    blur : float
        Share of the crops of which a part is averaged over 3 x 3 pixels.
    contrast, gain : float
        Each channel is raised to the power exp(-contrast) to exp(contrast), then multiplied by exp(-gain) to exp(gain).
    noise : float
        Largest standard deviation of the noise in a channel, on the scale 0 to 1.
    """

    zoom: float = 0.15
    blur: float = 0.5
    contrast: float = 0.4
    gain: float = 0.3
    noise: float = 0.15


def augment(crops: torch.Tensor, amounts: Augmentation, chance: torch.Generator) -> torch.Tensor:
    """Turn, mirror, zoom, blur and relight crops, and add noise inside the cell.

    Parameters
    ----------
    crops : Tensor of float32, shape (n, 4, side, side)
        0 to 1; black is outside the cell.
    amounts : Augmentation
    chance : torch.Generator
        On the device of the crops; all that is random comes from it.

    Returns
    -------
    Tensor of float32, shape (n, 4, side, side)
    """
    turned = _turn(crops, amounts, chance)
    n, device = len(crops), crops.device

    def spread(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=chance, device=device)

    share = spread(n, 1, 1, 1) * (spread(n, 1, 1, 1) < amounts.blur)
    relit = torch.lerp(turned, functional.avg_pool2d(turned, 3, 1, 1), share).clamp(min=1e-6)
    shape = (n, len(CHANNELS), 1, 1)
    relit = relit ** torch.exp(amounts.contrast * (2 * spread(*shape) - 1))
    relit = relit * torch.exp(amounts.gain * (2 * spread(*shape) - 1))
    noise = torch.randn(relit.shape, generator=chance, device=device) * (amounts.noise * spread(*shape))
    return (relit + noise) * (turned > 0).any(dim=1, keepdim=True)


def _turn(crops: torch.Tensor, amounts: Augmentation, chance: torch.Generator) -> torch.Tensor:
    angle, size, mirror = torch.rand(3, len(crops), generator=chance, device=crops.device)
    angle = 2 * torch.pi * angle
    size = torch.exp(amounts.zoom * (2 * size - 1))
    along, across = size * angle.cos(), size * angle.sin()
    side = torch.where(mirror < 0.5, -1.0, 1.0)
    rows = torch.stack([along * side, -across, across * side, along], dim=1).reshape(-1, 2, 2)
    grid = functional.affine_grid(functional.pad(rows, (0, 1)), list(crops.shape), align_corners=False)
    return functional.grid_sample(crops, grid, align_corners=False)
