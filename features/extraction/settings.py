"""What the tables of an extraction depend on."""

from dataclasses import asdict, dataclass
from typing import Any

from features.embedding.cell_crops import CropSettings
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.scale import AS_STORED, Scale
from store.channels import Channel
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
    masks : str or None
        Folder of label images made elsewhere.
    device : str
        The kind of device that measures, "cpu" or "cuda".
    network : NetworkFile or None
        The network whose vector of each cell is added to the features.
    reading : ReadingOptions
        How the images are read. Features of stains that are absent are NaN.
    scale : Scale
        What the pixels are brought to before they are measured.
    all_columns : bool
        Whether families measure what they leave out by default.
    """

    masks: str | None
    device: str
    network: NetworkFile | None = None
    reading: ReadingOptions = FOUR_COLOURS
    scale: Scale = AS_STORED
    all_columns: bool = False

    @property
    def absent(self) -> tuple[Channel, ...]:
        """The stains that the fields do not have."""
        return self.reading.chosen_stains.absent

    @property
    def code(self) -> str:
        """Hash of the sources that measure on this kind of device; those of networks only if one is used."""
        kernels = "cpu" if self.device == "cpu" else "gpu"
        without = () if self.network else ("features.embedding",)
        return code_of(*_MEASURED_BY, f"features.kernels.{kernels}.*", without=without)

    def content(self) -> dict[str, Any]:
        """All settings except the network's path, for JSON; one level deep but for the network."""
        content: dict[str, Any] = {"masks": self.masks, "device": self.device, "network": None}
        if self.network is not None:
            content["network"] = {key: value for key, value in asdict(self.network).items() if key != "path"}
        reading = self.reading
        content |= {"layout": reading.kind} | {name: getattr(reading, name) for name in ("pattern", "z", "t")}
        content["all_columns"] = self.all_columns
        content |= {"images": str(reading.images) if reading.images else None, "stains": reading.chosen_stains.text()}
        return content | asdict(self.scale)


def noted_settings(settings: ExtractSettings) -> dict[str, Any]:
    """The settings as config.json notes them, with the network's path."""
    return settings.content() | {"network": asdict(settings.network) if settings.network else None}
