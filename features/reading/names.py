"""What file names say: `<Id>_{red,green,blue,yellow}.{png,tif,jpg}` is one channel of a field."""

from pathlib import PurePosixPath

from store.channels import CHANNELS

COLOURS = tuple(channel.colour for channel in CHANNELS)
_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")


def split_name(name: str) -> tuple[str, str] | None:
    """Id and colour of a file name, or None. HPA's composites (`<Id>_blue_red_green.jpg`) are no channel."""
    path = PurePosixPath(name)
    field_id, _, colour = path.stem.rpartition("_")
    colour = colour.lower()
    if path.suffix.lower() not in _EXTENSIONS or colour not in COLOURS or not field_id or field_id.startswith("."):
        return None
    return None if field_id.endswith(COLOURS) else (field_id, colour)


def is_misnamed(name: str) -> bool:
    """Whether a file that fits no channel was probably meant to."""
    path = PurePosixPath(name)
    composite = path.stem.endswith(COLOURS) and path.stem.rpartition("_")[0].endswith(COLOURS)
    return path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and not composite
