"""Training without labels: two cells of one field show one protein, so their vectors shall be alike (Chen et al. 2020).

Every step depends on the seed and its number alone, so that a training that was stopped goes on as if it had not been.
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from features._augment import Augmentation, augment
from features._network import (
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
    """What a training depends on beside the portraits.

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
        Row numbers of the portraits of each field; never empty.
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
    """NT-Xent: how badly each cell's partner is told from all other cells (Chen et al. 2020, equation 1).

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
    """A network in training: what is trained, its running mean, and the optimiser's memory. `step` goes on."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = EmbeddingNetwork(settings.network).to(device)
            self.projection = _projection(settings.network.length, settings.projection).to(device)
        self.averaged = copy.deepcopy(self.network)
        self.settings, self.device, self.done = settings, device, 0
        self.trained = nn.ModuleDict({"network": self.network, "projection": self.projection})
        self.optimiser = torch.optim.AdamW(self.trained.parameters(), settings.rate, weight_decay=settings.decay)

    def step(self, portraits: np.ndarray, groups: Groups) -> float:
        """Learn from one batch; gives the loss.

        Parameters
        ----------
        portraits : ndarray of uint8, shape (n, 4, side, side)
        groups : Groups
        """
        settings = self.settings
        chance = np.random.default_rng([settings.seed, self.done])
        rows = groups.draw(settings.fields, chance).ravel()
        on_device = torch.Generator(self.device).manual_seed(int(chance.integers(2**62)))
        batch = augment(as_input(portraits[rows], self.device), settings.augmentation, on_device)
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

    def save(self, path: Path, made_with: str) -> None:
        """Write all that the next step depends on, after the first; `made_with` names what the training learns from."""
        moments = {
            f"{kind}.{name}": self.optimiser.state[parameter][kind]
            for name, parameter in self.trained.named_parameters()
            for kind in _MOMENTS
        }
        kept = _prefixed("trained", self.trained) | _prefixed("averaged", self.averaged) | moments
        save_tensors(path, kept, self._note(made_with) | {"done": self.done})

    def resume(self, path: Path, made_with: str) -> bool:
        """Go on from a checkpoint; False, and nothing changes, if it was made with something else.

        Raises
        ------
        InputError
            If the file is no checkpoint, or not whole.
        """
        tensors, note = read_tensors(path, FORM)
        done = note.pop("done", None)
        if note != self._note(made_with):
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

    def _note(self, made_with: str) -> dict[str, Any]:
        return {"form": FORM, "settings": _as_json(asdict(self.settings)), "made with": made_with}


_MOMENTS = ("exp_avg", "exp_avg_sq")


def _projection(length: int, projected: int) -> nn.Module:
    return nn.Sequential(nn.Linear(length, length), nn.ReLU(), nn.Linear(length, projected))


def _prefixed(prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in weights(module).items()}


def _as_json(value: Any) -> Any:
    """The same value as it comes back from JSON: tuples become lists."""
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    return [_as_json(inner) for inner in value] if isinstance(value, tuple | list) else value


def _mixed_precision(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
