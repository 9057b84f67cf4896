"""What a TIFF states about its pixels and channels: OME-XML, ImageJ, MetaSeries (MetaXpress, MetaMorph), Zeiss LSM.

A resolution tag alone is not believed: that of Operetta, for example, says 6.45 µm for 1.196 µm.
"""

from typing import Any
from xml.etree import ElementTree

import tifffile

from features.reading.scene import Facts

_MICROMETRES = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "nm": 1e-3, "mm": 1e3, "m": 1e6,
}  # fmt: skip
_MAX_SAMPLE_VALUE = 281
_X_RESOLUTION = 282


def facts_of(tiff: tifffile.TiffFile, scene: int) -> Facts:
    """Pixel size and level that the file states for one of its images."""
    page = tiff.pages.first
    level = None
    if (bits := page.bitspersample) not in (16, 32, 64):
        level = 2**bits - 1
    elif page.dtype is not None and page.dtype.kind == "u":
        level = full_scale(page.tags.valueof(_MAX_SAMPLE_VALUE))
    size = None
    if (pixels := _ome_pixels(tiff, scene)) is not None:
        size = micrometres(pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit", "µm"))
        level = full_scale(2 ** min(16, _whole(pixels.get("SignificantBits"))) - 1) or level
    elif tiff.is_metaseries:
        plane = _metaseries(tiff)
        if plane.get("spatial-calibration-state"):
            size = micrometres(plane.get("spatial-calibration-x"), plane.get("spatial-calibration-units"))
        level = full_scale(2 ** min(16, _whole(plane.get("Camera Bit Depth"))) - 1) or level
    elif tiff.is_lsm:
        size = micrometres((tiff.lsm_metadata or {}).get("VoxelSizeX"), "m")
    elif tiff.is_imagej:
        across, per = page.tags.valueof(_X_RESOLUTION, (0, 1))
        size = micrometres(per / across if across else None, (tiff.imagej_metadata or {}).get("unit"))
    return Facts(size, level)


def names_of(tiff: tifffile.TiffFile, scene: int, n_channels: int) -> tuple[str, ...]:
    """The names of an image's channels, "" where the file has none."""
    found: list[str] = []
    if (pixels := _ome_pixels(tiff, scene)) is not None:
        found = [channel.get("Name") or channel.get("Fluor") or "" for channel in pixels.findall("{*}Channel")]
    elif tiff.is_metaseries:
        found = [str(_metaseries(tiff).get("_IllumSetting_") or _metaseries(tiff).get("image-name") or "")]
    elif tiff.is_lsm:
        colours = (tiff.lsm_metadata or {}).get("ChannelColors") or {}
        found = [str(name) for name in colours.get("ColorNames", [])]
    elif tiff.is_imagej:
        labels = (tiff.imagej_metadata or {}).get("Labels") or []
        found = [labels] if isinstance(labels, str) else [str(label) for label in labels]
    return tuple(found) if len(found) == n_channels else ("",) * n_channels


def micrometres(value: Any, unit: Any) -> float | None:
    """A length in µm; None if it is no positive number, or its unit is no unit of a microscope."""
    factor = _MICROMETRES.get(str(unit).strip().lower())
    try:
        length = float(value) * factor if factor else 0.0
    except (TypeError, ValueError):
        return None
    return length if 0 < length < 1e4 else None


def full_scale(value: Any) -> int | None:
    """A stated highest value, if it is all ones in binary: 255, 1023, 4095 ...; else it is only the brightest pixel."""
    whole = _whole(value)
    return whole if whole >= 255 and whole & (whole + 1) == 0 else None


def _whole(value: Any) -> int:
    """A number of bits, or a value of 16 bits; 0 for anything else."""
    try:
        return min(max(int(value), 0), 65_535)
    except (TypeError, ValueError):
        return 0


def _metaseries(tiff: tifffile.TiffFile) -> dict[str, Any]:
    return (tiff.metaseries_metadata or {}).get("PlaneInfo") or {}


def _ome_pixels(tiff: tifffile.TiffFile, scene: int) -> ElementTree.Element | None:
    """The Pixels element of one image of an OME-TIFF; None where there is none, or it cannot be read."""
    if not tiff.is_ome or tiff.ome_metadata is None:
        return None
    try:
        found = ElementTree.fromstring(tiff.ome_metadata).findall("{*}Image/{*}Pixels")
    except ElementTree.ParseError:
        return None
    return found[scene] if scene < len(found) else None
