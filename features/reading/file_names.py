"""Names of image files: Kaggle's `<Id>_{red,green,blue,yellow}.png`, and names that no field has."""

from pathlib import PurePosixPath

from features.reading.containers import NOT_READ, PACKAGES, TIFFS
from features.reading.layouts.names import FileName
from features.reading.layouts.side_files import is_side_file
from features.reading.mask_names import is_named_mask
from features.reading.options import ReadingOptions
from store.channels import CHANNELS

COLOURS = tuple(channel.colour for channel in CHANNELS)
IMAGES = (".png", ".jpg", ".jpeg", *TIFFS, *PACKAGES)
TABLES = ("train.csv", "fields.csv", "groups.csv", "corrections.csv", "sample_submission.csv", "simulated.json")
"""Files of a data folder that are read as tables, not as images: no reason to call them unused."""

_OF_SYSTEMS = ("thumbs.db", "desktop.ini")


def hpa_name(name: str) -> FileName | None:
    """Id and colour of a file name, or None if it does not end in `_` and a colour."""
    stem = name[name.rfind("/") + 1 : name.rfind(".")]
    field_id, _, colour = stem.rpartition("_")
    colour = colour.lower().removesuffix(".ome")
    return FileName(field_id, colour) if colour in COLOURS and field_id else None


def may_be_composite(field_id: str) -> bool:
    """Whether an id ends in `_` and a colour: HPA's composites are named `<Id>_blue_red_green.jpg`."""
    return field_id.lower().rpartition("_")[2] in COLOURS


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image that can be read."""
    return name[name.rfind(".") :].lower() in IMAGES and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a file is one that a system leaves behind: hidden, macOS's resource forks, Windows's thumbnails."""
    base = name[name.rfind("/") + 1 :]
    return base.startswith(".") or "__MACOSX/" in name or base.lower() in _OF_SYSTEMS


def why_not_named(name: str, options: ReadingOptions) -> str:
    """Why a file that fits no field is not used."""
    suffix = PurePosixPath(name).suffix.lower()
    if is_hidden(name):
        return "is a hidden or system file"
    if is_side_file(name):
        return "is a side file: read for names and pixel sizes, no image"
    if suffix == ".zip":
        return "is a zip inside the folder: unpack it there"
    if suffix in NOT_READ:
        return f"is a {suffix} file, which is not supported: export it as OME-TIFF"
    if suffix not in IMAGES:
        return "is no image"
    if is_named_mask(name):
        return "is a mask, by its name: give its folder with --masks"
    if options.is_hpa:
        return "has no name of the form <Id>_red, _green, _blue or _yellow"
    return f"has no name of layout {options.kind}" if options.kind else "has no name that --pattern fits"
