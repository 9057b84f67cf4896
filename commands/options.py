"""Options that several commands have, as the command line declares them. Imports nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="Folder with train.csv, train/ or train.zip, test/ or test.zip.")]
Run = Annotated[Path, typer.Option("--run", help="Folder for all results.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda[:N].")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 means all cores.", show_default=True)]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Run on the Dask cluster of this scheduler, e.g. tcp://host:8786 (docs/scale.md).", show_default="none"
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed; the same seed gives the same results.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", metavar="", help="Show no progress and no next command; results and failures are still printed."
    ),
]
Json = Annotated[
    bool, typer.Option("--json", metavar="", help="Print one line of JSON at the end of stdout, also after an error.")
]
IMAGES = "How images are read"
NoER = Annotated[
    bool,
    typer.Option(
        "--no-er", metavar="", help="The fields have no ER channel; its features are NaN.", rich_help_panel=IMAGES
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        help="How files are named: metaxpress, phenix, operetta, incell, leica, keyence, cellvoyager, cytation, "
        "cellpainting and others (docs/images.md). inspect names the one that fits.",
        show_default="hpa: <Id>_red.png ...", rich_help_panel=IMAGES,
    ),
]  # fmt: skip
Pattern = Annotated[
    str | None,
    typer.Option(
        help=r"A regular expression for file names instead, with groups such as (?P<Plate>...), (?P<Well>...), "
        r"(?P<Site>...), (?P<Channel>...), (?P<Id>...), (?P<Z>...).",
        show_default="none", rich_help_panel=IMAGES,
    ),
]  # fmt: skip
ImagesCsv = Annotated[
    Path | None,
    typer.Option(
        "--images", help="The csv of CellProfiler's LoadData lists the images instead.", show_default="none",
        rich_help_panel=IMAGES,
    ),
]  # fmt: skip
StainsOf = Annotated[
    str | None,
    typer.Option(
        "--stains", help="Which channel is which stain, by name or number: nucleus=DAPI,protein=GFP,microtubules=3, "
        "er=4. Microtubules and ER may be missing. Without --layout, each file is a field.",
        show_default="HPA's colours", rich_help_panel=IMAGES,
    ),
]  # fmt: skip
ZPlane = Annotated[
    str | None,
    typer.Option(
        "--z", help="Of stacks: max (the brightest along z), middle, or a number from 1.", show_default="none",
        rich_help_panel=IMAGES,
    ),
]  # fmt: skip
TimePoint = Annotated[
    str | None,
    typer.Option("--t", help="Of time series: as --z.", show_default="none", rich_help_panel=IMAGES),
]
PixelSize = Annotated[
    float | None,
    typer.Option(
        min=0.001, max=100, help="Width of a pixel of all images, um.", show_default="as the files state",
        rich_help_panel=IMAGES,
    ),
]  # fmt: skip
MaxLevel = Annotated[
    int | None,
    typer.Option(
        min=1, max=65_535, help="The highest value a pixel can have, e.g. 4095 of a 12-bit camera.",
        show_default="as the files state, or derived from all and printed", rich_help_panel=IMAGES,
    ),
]  # fmt: skip
CameraOffset = Annotated[
    str | None,
    typer.Option(
        help="What the camera adds to every pixel: a number, or auto (the darkest level of the data set).",
        show_default="0", rich_help_panel=IMAGES,
    ),
]  # fmt: skip
Masks = Annotated[
    Path | None,
    typer.Option(
        help="Folder or zip of label images of cells, nuclei or both, named as by Cellpose, StarDist, HPA-Cell-"
        "Segmentation or CellProfiler, to use instead of our segmentation (docs/images.md)."
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(help="csv with Id,Group: fields of a group are never split between folds. Default: DATA/groups.csv."),
]
