"""What file names say: `<Id>_{red,green,blue,yellow}.{png,tif,jpg}` is one channel of a field."""

from pathlib import PurePosixPath

from store.channels import CHANNELS

COLOURS = tuple(channel.colour for channel in CHANNELS)
IMAGES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")


def split_name(name: str) -> tuple[str, str] | None:
    """Id and colour of a file name, or None if it is no image or does not end in `_` and a colour."""
    path = PurePosixPath(name)
    field_id, _, colour = path.stem.rpartition("_")
    colour = colour.lower()
    if path.suffix.lower() not in IMAGES or colour not in COLOURS or not field_id or is_hidden(name):
        return None
    return field_id, colour


def may_be_composite(field_id: str) -> bool:
    """Whether an id ends in `_` and a colour: HPA's composites are named `<Id>_blue_red_green.jpg`."""
    return field_id.lower().rpartition("_")[2] in COLOURS


def is_hidden(name: str) -> bool:
    """Whether a file is one that a system leaves behind: hidden, macOS's resource forks, Windows's thumbnails."""
    path = PurePosixPath(name)
    return path.name.startswith(".") or "__MACOSX" in path.parts or path.name.lower() in _OF_SYSTEMS


def why_not_named(name: str) -> str:
    """Why a file that fits no channel is not used."""
    if is_hidden(name):
        return "is a hidden or system file"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".zip":
        return "is a zip inside the folder: unpack it there"
    if suffix not in IMAGES:
        return "is no image (expected .png, .tif, .jpg)"
    return "has no name of the form <Id>_red, _green, _blue or _yellow"
