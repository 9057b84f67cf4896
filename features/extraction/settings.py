"""What the tables of an extraction depend on."""

from dataclasses import asdict, dataclass
from typing import Any

from features.embedding.cell_crops import CropSettings
from store.stamp import code_of

_MEASURED_BY = ("features.*", "features.extraction.measuring")


@dataclass(frozen=True)
class NetworkFile:
    """A network that gives each cell a vector, and the input it takes.

    Attributes
    ----------
    path : str
        Empty for the pretrained network, which is found where it is installed.
    digest : str
        Hash of the file's content: the same network at another path makes the same table.
    kind : str
        "pretrained" (the one that a package brings), "onnx" or "torchscript".
    length : int
        Length of a cell's vector.
    crop : CropSettings or None
        None for a network of whole fields.
    channels : tuple of str
        Colours of the stains it takes, in this order.
    mean, sd : tuple of float
        A user's network is given (x - mean) / sd of each channel, x from 0 to 1.
    maps : tuple of int
        Channels of each map of the field, for a network of whole fields; empty for one of crops.
    """

    path: str
    digest: str
    kind: str
    length: int
    crop: CropSettings | None
    channels: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    maps: tuple[int, ...] = ()


@dataclass(frozen=True)
class ExtractSettings:
    """Settings that the tables depend on.

    Attributes
    ----------
    no_er : bool
        The fields have no ER channel; features that need it are NaN.
    masks : str or None
        Folder of label images made elsewhere.
    device : str
        The kind of device that measures, "cpu" or "cuda".
    network : NetworkFile or None
        The network whose vector of each cell is added to the features.
    """

    no_er: bool
    masks: str | None
    device: str
    network: NetworkFile | None = None

    @property
    def code(self) -> str:
        """Hash of the sources that measure on this kind of device; those of networks only if one is used."""
        kernels = "cpu" if self.device == "cpu" else "gpu"
        without = () if self.network else ("features.embedding",)
        return code_of(*_MEASURED_BY, f"features.kernels.{kernels}.*", without=without)

    def content(self) -> dict[str, Any]:
        """All settings except the network's path, for JSON."""
        content = asdict(self)
        if self.network is not None:
            del content["network"]["path"]
        return content
