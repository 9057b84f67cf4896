"""The layouts that microscopes and tools write, each a regular expression for a path without its extension.

Groups: Plate, Well (or Row and Column), Site, Channel, Z, T, and Id where the rest of the name is the field's.
"""

from dataclasses import dataclass

STAIN_WORDS = (
    "dapi", "hoechst", "h33342", "draq5", "gfp", "egfp", "fitc", "yfp", "rfp", "mcherry", "dsred", "tritc", "txred",
    "texasred", "texas red", "cy3", "cy5", "cy7", "bfp", "cfp", "tubulin", "actin", "phalloidin", "mito", "er", "dna",
    "rna", "agp", "nuc", "nucleus", "nuclei", "protein", "tub", "mt", "microtubules", "calnexin", "cona", "wga",
    "syto14", "red", "green", "blue", "yellow", "origblue", "origgreen", "origred",
)  # fmt: skip
"""Names of stains as they end file names, in lower case."""

_WELL = r"(?P<Well>[A-Za-z]{1,2}\d{1,2})"


@dataclass(frozen=True)
class Layout:
    """How one microscope or tool names its files.

    Attributes
    ----------
    name : str
        As --layout takes it.
    others : tuple of str
        Further names of the same.
    writer : str
        Who writes it.
    pattern : str
        Matched against the end of the path, after a slash or from the start, without the extension.
    example : str
    """

    name: str
    others: tuple[str, ...]
    writer: str
    pattern: str
    example: str


LAYOUTS = (
    Layout(
        "metaxpress", ("imagexpress", "bbbc"), "MetaXpress, ImageXpress",
        r"(?:TimePoint_(?P<T>\d+)/)?(?:ZStep_(?P<Z>\d+)/)?(?P<Plate>[^/]+?)_" + _WELL
        + r"(?:_s(?P<Site>\d+))?_w(?P<Channel>\d)(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?",
        "Plate_B02_s1_w1.TIF",
    ),
    Layout(
        "phenix", ("operetta", "harmony", "opera", "cellpainting", "jump"), "Opera Phenix, Operetta, Harmony",
        r"r(?P<Row>\d{2})c(?P<Column>\d{2})f(?P<Site>\d{2,4})p(?P<Z>\d{2,3})-ch(?P<Channel>\d{1,2})"
        r"(?:sk(?P<T>\d+)fk\d+fl\d+)?",
        "r01c01f01p01-ch1sk1fk1fl1.tiff",
    ),
    Layout(
        "incell", (), "IN Cell Analyzer",
        r"(?P<Row>[A-Z]{1,2}) - (?P<Column>\d{1,2})\(fld (?P<Site>\d+) wv (?P<Channel>[^)]+?)"
        r"(?: z (?P<Z>\d+))?(?: time (?P<T>\d+)[^)]*)?\)",
        "A - 01(fld 1 wv DAPI - DAPI).tif",
    ),
    Layout(
        "cellvoyager", ("yokogawa", "cv7000", "cv8000"), "Yokogawa CellVoyager CV7000, CV8000",
        r"(?P<Plate>[^/]+)_" + _WELL + r"_T(?P<T>\d{4})F(?P<Site>\d{3})L\d{2}A\d{2}Z(?P<Z>\d{2})C(?P<Channel>\d{2})",
        "Plate_B02_T0001F001L01A01Z01C01.tif",
    ),
    Layout(
        "cq1", (), "Yokogawa CQ1",
        r"(?P<Well>W\d{4})F(?P<Site>\d{4})T(?P<T>\d{4})Z(?P<Z>\d{3})C(?P<Channel>\d{1,2})",
        "W0001F0001T0001Z001C1.tif",
    ),
    Layout(
        "cytation", ("gen5", "biotek"), "BioTek Cytation, Gen5",
        _WELL + r"_-?\d{1,2}_\d{1,2}_(?P<Site>\d{1,3})(?:Z(?P<Z>\d+))?_(?P<Channel>[^_/]+)_(?P<T>\d{3})",
        "B7_01_1_3_DAPI_001.tif",
    ),
    Layout(
        "cellomics", ("arrayscan", "evos"), "Cellomics ArrayScan, CellInsight, EVOS",
        r"(?P<Plate>[^/]+)_" + _WELL + r"f(?P<Site>\d{2,4})d(?P<Channel>\d)",
        "Plate_A02f00d0.TIF",
    ),
    Layout(
        "scanr", (), "Olympus scanR",
        r"(?:[^/]*--)?(?P<Well>W\d{5})(?:--[^/]*?)?--P(?P<Site>\d{5})--Z(?P<Z>\d{5})--T(?P<T>\d{5})--(?P<Channel>[^/]+)",
        "W00001--P00001--Z00000--T00000--DAPI.tif",
    ),
    Layout(
        "leica-matrix", (), "Leica Matrix Screener",
        r"image--L\d+--S\d+--(?P<Well>U\d+--V\d+)--J\d+--E\d+--O\d+--(?P<Site>X\d+--Y\d+)--T(?P<T>\d+)--Z(?P<Z>\d+)"
        r"--C(?P<Channel>\d+)",
        "image--L0000--S00--U00--V00--J07--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif",
    ),
    Layout(
        "leica", ("lasx",), "Leica LAS, LAS X (exported)",
        r"(?P<Id>[^/]+?)(?:_t(?P<T>\d+))?(?:_z(?P<Z>\d+))?_ch(?P<Channel>\d{1,2})",
        "Series014_z000_ch00.tif",
    ),
    Layout(
        "keyence", ("codex",), "Keyence BZ-X",
        r"(?P<Id>[^/]+?)(?:_Z(?P<Z>\d+))?_CH(?P<Channel>\d)",
        "1_00001_Z001_CH1.tif",
    ),
    Layout(
        "micromanager2", (), "Micro-Manager 2, one file a plane",
        r"img_channel(?P<Channel>\d{3})_position(?P<Site>\d{3})_time(?P<T>\d{9})_z(?P<Z>\d{3})",
        "img_channel000_position000_time000000000_z000.tif",
    ),
    Layout(
        "micromanager", (), "Micro-Manager, one file a plane",
        r"(?:(?P<Site>[^/]+)/)?img_(?P<T>\d{9})_(?P<Channel>[^/]+)_(?P<Z>\d{3})",
        "Pos0/img_000000000_Cy3_000.tif",
    ),
    Layout(
        "imagej-split", ("fiji",), "Fiji's Split Channels",
        r"C(?P<Channel>\d+)-(?P<Id>[^/]+)",
        "C1-field.tif",
    ),
    Layout(
        "suffix", (), "a channel's name or number at the end",
        r"(?P<Id>[^/]+)[-_. ](?P<Channel>(?i:(?:c|ch|w|d|channel)?\d{1,2}|" + "|".join(STAIN_WORDS) + r")|[A-Z])",
        "field_DAPI.tif, field_c1.tif",
    ),
)  # fmt: skip


def layout_named(name: str) -> Layout | None:
    """The layout with this name; None if there is none."""
    return next((one for one in LAYOUTS if name.lower() in (one.name, *one.others)), None)
