"""How the fields of a run were read, from its features/settings.json, which a stranger may have written."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import HpaError, InputError
from engine.files import read_json
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.scale import AS_STORED, Scale
from features.reading.survey import Acquisition
from store.run_folder import RunFolder

_LONGEST = 1000  # characters of a text
_TEXTS = ("layout", "pattern", "stains", "z", "t")


@dataclass(frozen=True)
class Recorded:
    """What `extract` noted.

    Attributes
    ----------
    settings : dict
        All of it, by name; "masks", "network", "device" and "code" are text or None.
    reading : ReadingOptions
        Without the csv that --images named: paths in a run folder are never followed.
    by_csv : bool
        The run's images were listed in a csv.
    acquisition : Acquisition
    all_columns : bool
        Families measured what they leave out by default.
    """

    settings: dict[str, Any]
    reading: ReadingOptions
    by_csv: bool
    acquisition: Acquisition
    all_columns: bool = False


UNRECORDED = Recorded({"masks": None}, FOUR_COLOURS, False, Acquisition(AS_STORED, 0.0))
"""Of a run whose settings are gone."""


def settings_path(folder: RunFolder) -> Path:
    """The file that `extract` notes its settings in."""
    return folder.features / "settings.json"


def acquisition_record(acquisition: Acquisition) -> dict[str, Any]:
    """An acquisition for JSON."""
    return asdict(acquisition)


def read_recorded(folder: RunFolder) -> Recorded:
    """What `extract` noted in a run.

    Raises
    ------
    InputError
        If nothing was extracted, or the file is not as `extract` writes it.
    """
    path = settings_path(folder)
    if not path.is_file():
        raise InputError(f"{path} is missing: nothing was extracted yet. Run {folder.command('extract')} first.")
    known = read_json(path)
    refused = InputError(f"{path} does not hold the settings of an extraction. Run {folder.command('extract')} again.")
    kinds = {"masks": str | None, "network": str | None, "device": str, "code": str, "acquisition": dict}
    if not (isinstance(known, dict) and all(k in known and isinstance(known[k], kind) for k, kind in kinds.items())):
        raise refused
    texts = {name: known.get(name, "") for name in _TEXTS}
    if not all(isinstance(text, str) and len(text) <= _LONGEST for text in texts.values()):
        raise refused
    try:
        by_csv = bool(known.get("images"))
        reading = ReadingOptions(**texts)
        return Recorded(known, reading, by_csv, _acquisition(known["acquisition"]), known.get("all_columns") is True)
    except (HpaError, TypeError, ValueError, KeyError) as error:
        raise refused from error


def _acquisition(said: dict[str, Any]) -> Acquisition:
    """An acquisition as `acquisition_record` wrote it; raises TypeError, ValueError or KeyError."""
    scale = Scale(**said["scale"])
    whole = (scale.bits, scale.offset, 0 if scale.level is None else scale.level)
    overruled = tuple(said.get("overruled", ()))
    lengths = [*(one for one in (scale.pixel_size, scale.stated_size) if one is not None), *overruled]
    if not all(isinstance(one, int) and 0 <= one < 2**17 for one in whole) or scale.level == 0:
        raise ValueError("no scale")
    if not all(isinstance(one, float | int) and math.isfinite(one) and one > 0 for one in lengths):
        raise ValueError("no pixel size")
    return Acquisition(scale, float(said["darkest"]), str(said["level_from"]), str(said["size_from"]), overruled)
