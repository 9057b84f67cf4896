"""The embedding network: from the crop of a cell to a vector; a small residual network in one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from engine.command_line import command_line
from engine.errors import InputError
from engine.files import whole
from features.embedding.cell_crops import LARGEST, CropSettings
from store.channels import CHANNELS

_NOTE = "hpa-boost"  # the one metadata entry: several would be written in any order
_FORM = "embedding"
_AT_ONCE = 256  # crops
_LARGEST_SIDE, _LARGEST_WIDTH, _MOST_BLOCKS = 512, 4096, 8


@dataclass(frozen=True)
class NetworkSettings:
    """The architecture of a network, and its input.

    Attributes
    ----------
    crop : CropSettings
        How cells are cut out for it.
    stem : int
        Channels after the first layer, which halves the side.
    widths : tuple of int
        Channels after each residual block, which halves the side again; the last is the length of a cell's vector.
    """

    crop: CropSettings = field(default_factory=CropSettings)
    stem: int = 24
    widths: tuple[int, ...] = (32, 64, 128)

    @property
    def length(self) -> int:
        """Length of a cell's vector."""
        return self.widths[-1]


class _Residual(nn.Module):
    """Two convolutions beside a shortcut, halving the side (He et al. 2016)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class EmbeddingNetwork(nn.Module):
    """Crops (n, 4, side, side), 0 to 1, to vectors (n, length)."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.stem = nn.Sequential(
            nn.Conv2d(len(CHANNELS), settings.stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(settings.stem),
            nn.ReLU(),
        )
        widths = (settings.stem, *settings.widths)
        self.blocks = nn.Sequential(*[_Residual(*pair) for pair in zip(widths, settings.widths)])
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] torch's stub lacks this way

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.stem(crops)).mean(dim=(2, 3))


def as_input(crops: np.ndarray, device: torch.device) -> torch.Tensor:
    """Crops, uint8 (n, 4, side, side), as float32 from 0 to 1 on a device."""
    placed = torch.from_numpy(np.ascontiguousarray(crops)).to(device)
    return (placed.float() / LARGEST).contiguous(memory_format=torch.channels_last)


def embed(network: EmbeddingNetwork, crops: np.ndarray, device: torch.device) -> np.ndarray:
    """The vector of each cell; independent of the rest of the batch, and equal to 1e-3 on every device.

    Parameters
    ----------
    network : EmbeddingNetwork
        On the device.
    crops : ndarray of uint8, shape (n, 4, side, side)
    device : torch.device

    Returns
    -------
    ndarray of float32, shape (n, length)
    """
    network.eval()
    vectors = [np.empty((0, network.settings.length), np.float32)]
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for i in range(0, len(crops), _AT_ONCE):
            vectors.append(network(as_input(crops[i : i + _AT_ONCE], device)).cpu().numpy())
    return np.concatenate(vectors)


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], note: Mapping[str, Any]) -> None:
    """Write tensors and a note that JSON can hold as one safetensors file; the same content gives the same bytes."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole(path) as temporary:
        temporary.write_bytes(save(kept, {_NOTE: json.dumps(note, sort_keys=True)}))


def read_tensors(path: Path, form: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a file of `save_tensors` whose note says that it is of this form.

    Raises
    ------
    InputError
        If it is no such file.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; expected the {form} that {command_line('embed')} writes. Run it first."
        )
    try:
        with safe_open(path, "pt") as file:
            note = json.loads((file.metadata() or {}).get(_NOTE, "{}"))
            found = note.get("form") if isinstance(note, dict) else None
            if found != form:
                raise _not_ours(path, f"says it holds {found!r}" if found else "does not say what it holds", form)
            return {name: file.get_tensor(name) for name in file.keys()}, note  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _not_ours(path, f"cannot be read as safetensors ({error})", form) from error


def save_network(path: Path, network: EmbeddingNetwork, training: Mapping[str, Any]) -> None:
    """Write a network with its settings, and how it was trained, as one safetensors file."""
    note = {"form": _FORM, "settings": asdict(network.settings), "training": dict(training)}
    save_tensors(path, weights(network), note)


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The weights and normalisation statistics of a network, by name."""
    return {name: x for name, x in network.state_dict().items() if not name.endswith("num_batches_tracked")}


def load_network(path: Path) -> EmbeddingNetwork:
    """Read a network, on the CPU, ready to embed.

    Raises
    ------
    InputError
        If the file is missing, of another form, or its tensors do not fit its settings or are not finite.
    """
    tensors, note = read_tensors(path, _FORM)
    settings = _settings(path, note.get("settings"))
    with torch.device("meta"):  # a network that takes no memory: a small file may describe a huge one
        check_tensors(weights(EmbeddingNetwork(settings)), tensors, path, _FORM)
    network = EmbeddingNetwork(settings)
    fill(network, tensors, path)
    return network.eval()


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, form: str = _FORM) -> None:
    """Put tensors of a file into a network, each checked before use; raises InputError where one does not fit."""
    check_tensors(weights(network), tensors, path, form)
    network.load_state_dict(tensors, strict=False)


def check_tensors(
    wanted: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor], path: Path, form: str
) -> None:
    """Raise InputError unless there are the wanted names, shapes and types, and every value is finite."""
    if strays := sorted(wanted.keys() ^ tensors.keys()):
        raise _not_ours(path, f"has other tensors than its settings describe (the first is {strays[0]})", form)
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (wanted[name].shape, wanted[name].dtype):
            found, expected = (f"{x.dtype} {tuple(x.shape)}" for x in (tensor, wanted[name]))
            raise _not_ours(path, f"holds {name} as {found} where its settings describe {expected}", form)
        if not bool(torch.isfinite(tensor).all()):
            raise _not_ours(path, f"holds values in {name} that are not finite", form)


def _settings(path: Path, stored: Any) -> NetworkSettings:
    try:
        crop = CropSettings(**stored["crop"])
        settings = NetworkSettings(crop, stored["stem"], tuple(stored["widths"]))
        sizes = (settings.stem, *settings.widths)
        sane = (
            8 <= crop.side <= _LARGEST_SIDE
            and 0 < crop.diameters <= 100
            and 0 < crop.exponent <= 10
            and 1 <= len(settings.widths) <= _MOST_BLOCKS
            and all(isinstance(size, int) and 1 <= size <= _LARGEST_WIDTH for size in sizes)
        )
    except (TypeError, KeyError) as error:
        raise _not_ours(path, f"has settings that lack or add something ({error})", _FORM) from error
    if not sane:
        raise _not_ours(path, f"has settings out of range ({stored})", _FORM)
    return settings


def _not_ours(path: Path, reason: str, form: str) -> InputError:
    remedy = "Name that file." if form == _FORM else "Remove it, and training begins anew."
    return InputError(f"{path} {reason}; expected the {form} that {command_line('embed')} writes. {remedy}")
