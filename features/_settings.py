"""What the tables of an extraction depend on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.files import digest_sources
from features._portraits import PortraitSettings


class MadeWith(Protocol):
    """Settings that a file on disk depends on."""

    def made_with(self) -> dict[str, Any]:
        """All that changes the file, for JSON."""


@dataclass(frozen=True)
class NetworkFile:
    """A network that looks at each cell, and how cells are shown to it.

    Attributes
    ----------
    path : str
    digest : str
        Hash of the file's content: the same network elsewhere makes the same table.
    kind : str
        "embedding" (what `embed` writes), "onnx" or "torchscript".
    length : int
        Numbers it gives a cell.
    portrait : PortraitSettings
    channels : tuple of str
        Colours of the stains that it takes, in its order.
    mean, sd : tuple of float
        A network of the user's own is given (x - mean) / sd of each channel, x from 0 to 1.
    """

    path: str
    digest: str
    kind: str
    length: int
    portrait: PortraitSettings
    channels: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]


@dataclass(frozen=True)
class ExtractSettings:
    """What the tables depend on; another value makes another table.

    Attributes
    ----------
    no_er : bool
        The fields have no ER channel; what needs it is NaN.
    masks : str or None
        Folder of label images made elsewhere.
    device : str
        The kind of device that measures, "cpu" or "cuda".
    network : NetworkFile or None
        The network whose vector of each cell stands beside the measured features.
    code : str
        Hash of the sources that measure.
    """

    no_er: bool
    masks: str | None
    device: str
    network: NetworkFile | None = None
    code: str = digest_sources(Path(__file__).parent)

    def made_with(self) -> dict[str, Any]:
        """All of it but where the network lies, for JSON."""
        content = asdict(self)
        if self.network is not None:
            del content["network"]["path"]
        return content
