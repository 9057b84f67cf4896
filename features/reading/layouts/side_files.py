"""What the side files of plates state: channel names, pixel size, plate. General readers ignore them.

Harmony's Index.idx.xml (Operetta, Phenix), MetaXpress's .HTD, CellVoyager's .mrf and .mes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.etree import ElementTree

from features.reading.archive import Member, read_bytes
from features.reading.image_file import UnreadableImageError
from features.reading.scene import NOTHING_STATED, Facts
from features.reading.tiff_facts import full_scale, micrometres

_SUFFIXES = (".htd", ".mrf", ".mes")


@dataclass(frozen=True)
class SideFile:
    """What one side file states about the images in its folder and below.

    Attributes
    ----------
    folder : str
        With a slash at the end; "" for the top.
    names : dict of str to str
        The name of a channel, by its number without leading zeros.
    facts : Facts
    plate : str
    listed : frozenset of str
        Names of the images that it lists; empty if it lists none.
    """

    folder: str
    names: dict[str, str] = field(default_factory=dict)
    facts: Facts = NOTHING_STATED
    plate: str = ""
    listed: frozenset[str] = frozenset()


def is_side_file(path: str) -> bool:
    """Whether a file's name is that of a side file that is read."""
    name = PurePosixPath(path).name.lower()
    return name.endswith((".idx.xml", *_SUFFIXES)) or name == "index.xml"


def read_side_files(members: Iterable[Member]) -> list[SideFile]:
    """The side files among some files; those that cannot be read state nothing."""
    found = []
    for member in members:
        try:
            content = read_bytes(member, image=False)
        except (UnreadableImageError, OSError):
            continue
        folder = member.name.rpartition("/")[0]
        suffix = PurePosixPath(member.name).suffix.lower()
        reader = {".htd": _htd, ".mrf": _mrf, ".mes": _mes}.get(suffix, _index)
        try:
            found.append(reader(f"{folder}/" if folder else "", content))
        except (ElementTree.ParseError, ValueError):
            continue
    return found


def side_file_of(path: str, side_files: Iterable[SideFile]) -> SideFile:
    """What the side files of a path's folder and those above state together, the nearest first."""
    near = sorted((one for one in side_files if path.startswith(one.folder)), key=lambda one: len(one.folder))
    names: dict[str, str] = {}
    size, level, plate = None, None, ""
    for one in near:
        names |= one.names
        size, level, plate = one.facts.pixel_size or size, one.facts.level or level, one.plate or plate
    return SideFile("", names, Facts(size, level), plate)


def _index(folder: str, content: bytes) -> SideFile:
    root = ElementTree.fromstring(content)
    images = root.findall("{*}Images/{*}Image")
    names = {}
    for image in images:
        number, name = image.findtext("{*}ChannelID") or "", image.findtext("{*}ChannelName") or ""
        names.setdefault(number.lstrip("0") or number, name)
    resolution = root.find(".//{*}ImageResolutionX")
    size = None if resolution is None else micrometres(resolution.text, resolution.get("Unit", "m"))
    level = full_scale(root.findtext(".//{*}MaxIntensity"))
    plate = root.findtext("{*}Plates/{*}Plate/{*}Name") or root.findtext("{*}Plates/{*}Plate/{*}PlateID") or ""
    listed = frozenset(url for image in images if (url := image.findtext("{*}URL")))
    return SideFile(folder, names, Facts(size, level), plate, listed)


def _htd(folder: str, content: bytes) -> SideFile:
    text = content.decode("utf-8", errors="replace")  # descriptions hold bytes of any encoding
    return SideFile(folder, dict(re.findall(r'"WaveName(\d+)",\s*"([^"]*)"', text)))


def _mrf(folder: str, content: bytes) -> SideFile:
    root = ElementTree.fromstring(content)
    channels = root.findall(".//{*}MeasurementChannel")
    found = (micrometres(_attribute(one, "HorizontalPixelDimension"), "um") for one in channels)
    sizes = {size for size in found if size is not None}
    plates = [_attribute(one, "Name") for one in root.findall(".//{*}MeasurementSamplePlate")]
    return SideFile(folder, {}, Facts(min(sizes) if len(sizes) == 1 else None), next(filter(None, plates), ""))


def _mes(folder: str, content: bytes) -> SideFile:
    channels = ElementTree.fromstring(content).findall(".//{*}ChannelList/{*}Channel")
    names = {_attribute(one, "Ch"): _attribute(one, "Fluorophore") or _attribute(one, "Target") for one in channels}
    return SideFile(folder, {number: name for number, name in names.items() if number and name})


def _attribute(element: ElementTree.Element, name: str) -> str:
    """An attribute, whatever its namespace."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")
