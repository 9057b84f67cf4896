"""Contrastive training without labels (SimCLR, Chen et al. 2020): two cells of one field are a positive pair.

Every step depends on the seed and its number only, so a training that was stopped continues with the same results.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from features.embedding.augmentation import Augmentation, augment
from features.embedding.network import (
    EmbeddingNetwork,
    NetworkSettings,
    as_input,
    check_tensors,
    fill,
    read_tensors,
    save_tensors,
    weights,
)

FORM = "checkpoint"


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes
    ----------
    network : NetworkSettings
    augmentation : Augmentation
    fields : int
        Fields in a step, of as many groups; two cells of each.
    projection : int
        Length of the vector that is compared; what leads to it is only there in training.
    temperature : float
        Of the loss.
    rate, decay : float
        Learning rate, reached after `warmup` steps, and weight decay of AdamW.
    warmup : int
    average : float
        The network that is kept is a running mean of the trained one; this share of it stays at each step. It takes the
        place of a falling learning rate, so that no step needs to know how many follow.
    seed : int
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    fields: int = 96
    projection: int = 64
    temperature: float = 0.1
    rate: float = 2e-3
    decay: float = 1e-4
    warmup: int = 20
    average: float = 0.99
    seed: int = 0


@dataclass(frozen=True)
class Groups:
    """The cells of each field, and the fields of each group.

    Attributes
    ----------
    cells : sequence of ndarray of int
        Row numbers of the crops of each field; never empty.
    fields : sequence of ndarray of int
        The fields of each group: one antibody, or near-identical.
    """

    cells: Sequence[np.ndarray]
    fields: Sequence[np.ndarray]

    def draw(self, n_fields: int, chance: np.random.Generator) -> np.ndarray:
        """Two cells each of fields of different groups, row numbers, shape (2, n); fields of one group never meet.

        A field of a single cell gives it twice.
        """
        chosen = chance.permutation(len(self.fields))[:n_fields]
        cells = [self.cells[chance.choice(self.fields[group])] for group in chosen]
        return np.array([chance.choice(mine, 2, replace=len(mine) < 2) for mine in cells]).T


def contrastive_loss(vectors: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent, the normalised temperature-scaled cross-entropy (Chen et al. 2020, equation 1).

    Parameters
    ----------
    vectors : Tensor, shape (2 n, length)
        Row i and row n + i are partners.
    temperature : float

    Returns
    -------
    Tensor
        Mean over the 2 n cells of -log(exp(s_p / t) / sum of exp(s_j / t) over the others), s the cosines; ln(2 n - 1)
        where all vectors are equal.
    """
    unit = functional.normalize(vectors.float(), dim=1)
    alike = (unit @ unit.T / temperature).masked_fill(
        torch.eye(len(unit), dtype=torch.bool, device=unit.device), -torch.inf
    )
    return functional.cross_entropy(alike, torch.arange(len(unit), device=unit.device).roll(len(unit) // 2))


class Training:
    """A network in training: its weights, their running mean, and the state of the optimiser."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = EmbeddingNetwork(settings.network).to(device)
            self.projection = _projection(settings.network.length, settings.projection).to(device)
        self.averaged = copy.deepcopy(self.network)
        self.settings, self.device, self.done = settings, device, 0
        self.trained = nn.ModuleDict({"network": self.network, "projection": self.projection})
        self.optimiser = torch.optim.AdamW(self.trained.parameters(), settings.rate, weight_decay=settings.decay)

    def step(self, crops: np.ndarray, groups: Groups) -> float:
        """Learn from one batch; gives the loss.

        Parameters
        ----------
        crops : ndarray of uint8, shape (n, 4, side, side)
        groups : Groups
        """
        settings = self.settings
        chance = np.random.default_rng([settings.seed, self.done])
        rows = groups.draw(settings.fields, chance).ravel()
        on_device = torch.Generator(self.device).manual_seed(int(chance.integers(2**62)))
        batch = augment(as_input(crops[rows], self.device), settings.augmentation, on_device)
        self.trained.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_mixed_precision(self.device)):
            vectors = self.projection(self.network(batch.contiguous(memory_format=torch.channels_last)))
        loss = contrastive_loss(vectors, settings.temperature)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, (self.done + 1) / settings.warmup)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self._average()
        self.done += 1
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        """Move the kept network towards the trained one; its first steps count for less."""
        share = min(self.settings.average, (1 + self.done) / (10 + self.done))
        for mean, now in zip(weights(self.averaged).values(), weights(self.network).values(), strict=True):
            mean.lerp_(now, 1 - share)

    def save(self, path: Path, mark: str) -> None:
        """Write everything that the next step depends on, with a stamp; at least one step has been done."""
        moments = {
            f"{kind}.{name}": self.optimiser.state[parameter][kind]
            for name, parameter in self.trained.named_parameters()
            for kind in _MOMENTS
        }
        kept = _prefixed("trained", self.trained) | _prefixed("averaged", self.averaged) | moments
        save_tensors(path, kept, self._note(mark) | {"done": self.done})

    def resume(self, path: Path, mark: str) -> bool:
        """Continue from a checkpoint; False, and nothing changes, if its stamp differs.

        Raises
        ------
        InputError
            If the file is no checkpoint, or not whole.
        """
        tensors, note = read_tensors(path, FORM)
        done = note.pop("done", None)
        if note != self._note(mark):
            return False
        parts = {part: {} for part in ("trained", "averaged", *_MOMENTS)}
        for name, tensor in tensors.items():
            part, _, inner = name.partition(".")
            parts.setdefault(part, {})[inner] = tensor
        for kind in _MOMENTS:
            check_tensors(dict(self.trained.named_parameters()), parts[kind], path, FORM)
        fill(self.trained, parts["trained"], path, FORM)
        fill(self.averaged, parts["averaged"], path, FORM)
        for name, parameter in self.trained.named_parameters():
            state = {kind: torch.empty_like(parameter).copy_(parts[kind][name]) for kind in _MOMENTS}
            self.optimiser.state[parameter] = {"step": torch.tensor(float(done))} | state
        self.done = done
        return True

    def _note(self, mark: str) -> dict[str, Any]:
        return {"form": FORM, "stamp": mark}


_MOMENTS = ("exp_avg", "exp_avg_sq")


def _projection(length: int, projected: int) -> nn.Module:
    return nn.Sequential(nn.Linear(length, length), nn.ReLU(), nn.Linear(length, projected))


def _prefixed(prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in weights(module).items()}


def _mixed_precision(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
