"""How the user says that images are to be read."""

from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import UsageError
from features.reading.stains import HPA, Stains, parse_stains
from store.channels import ER, Channel

STACK = ("max", "middle")


@dataclass(frozen=True)
class ReadingOptions:
    """Options of the commands that read images; by default Kaggle's files.

    Attributes
    ----------
    layout : str
        Name of a layout; "" for Kaggle's names, or, with `stains`, for one file a field.
    pattern : str
        A regular expression with named groups instead.
    images : Path or None
        A csv for CellProfiler's LoadData that lists the files instead.
    stains : str
        As --stains takes it; "" for Kaggle's colours.
    z, t : str
        Which plane of a stack, which time point: "max" (brightest along it), "middle", a number from 1, or "" if there
        is one only.
    no_er : bool
        The fields have no ER channel.
    pixel_size : float or None
        µm, of all images, instead of what the files state.
    max_level : int or None
        The highest value a pixel can have, of all images, instead of what the files state.
    camera_offset : int, "auto" or None
        What the camera adds to every pixel.
    """

    layout: str = ""
    pattern: str = ""
    images: Path | None = None
    stains: str = ""
    z: str = ""
    t: str = ""
    no_er: bool = False
    pixel_size: float | None = None
    max_level: int | None = None
    camera_offset: int | str | None = None

    def __post_init__(self) -> None:
        if sum(map(bool, (self.layout, self.pattern, self.images))) > 1:
            raise UsageError("--layout, --pattern and --images exclude each other. Give one of them.")
        if not self.is_hpa and not self.stains:
            raise UsageError(
                "say with --stains which channel is which stain, as in --stains nucleus=DAPI,protein=GFP. The command "
                "inspect lists the channels of a folder."
            )
        for option, value in (("--z", self.z), ("--t", self.t)):
            if value and value not in STACK and not (value.isdigit() and int(value)):
                raise UsageError(f"{option} {value} is not known; expected max, middle or a number from 1.")
        offset = self.camera_offset
        if isinstance(offset, str) and offset != "auto":
            raise UsageError(f"--camera-offset {offset} is not known; expected a number or auto.")
        if self.chosen_stains.absent == () and self.stains and self.no_er:
            raise UsageError("--no-er and an ER in --stains exclude each other. Leave one of them out.")

    @property
    def is_hpa(self) -> bool:
        """Whether files are named as Kaggle names them."""
        return self.layout == "hpa" or not (self.layout or self.pattern or self.images or self.stains)

    @property
    def kind(self) -> str:
        """The layout's name, "hpa" and "files" (one file a field) included; "" with a pattern or a csv."""
        if self.is_hpa:
            return "hpa"
        return self.layout or ("" if self.pattern or self.images else "files")

    @property
    def names_images(self) -> bool:
        """Whether the user says how images are named and stained, beyond Kaggle's way."""
        return bool(self.layout or self.pattern or self.images or self.stains)

    def without(self, absent: tuple[Channel, ...]) -> "ReadingOptions":
        """The same without some stains."""
        kept = Stains(tuple(one for one in self.chosen_stains.wanted if one[0] not in absent))
        if kept == self.chosen_stains:
            return self
        return replace(self, layout=self.kind, stains=kept.text(), no_er=False)

    @property
    def chosen_stains(self) -> Stains:
        """The stains with their channels."""
        stains = parse_stains(self.stains) if self.stains else HPA
        kept = tuple(one for one in stains.wanted if not (self.no_er and one[0] == ER))
        return Stains(kept)

    def typed(self) -> dict[str, object]:
        """The options as a command repeats them, by name."""
        texts = {name: getattr(self, name) or None for name in ("layout", "pattern", "images", "stains", "z", "t")}
        numbers = {name: getattr(self, name) for name in ("pixel_size", "max_level", "camera_offset")}
        return texts | {"no_er": self.no_er} | numbers


FOUR_COLOURS = ReadingOptions()
"""Four files a field, named by colour."""
