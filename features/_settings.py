"""What the tables of an extraction depend on."""

from dataclasses import dataclass
from pathlib import Path

from engine.files import digest_sources


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
    code : str
        Hash of the sources that measure.
    """

    no_er: bool
    masks: str | None
    device: str
    code: str = digest_sources(Path(__file__).parent)
