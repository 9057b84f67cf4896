"""The csv of CellProfiler's LoadData: one row a field, with a file for each channel and where on the plate it is."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from engine.errors import InputError
from engine.ids import shown
from features.reading.layouts.names import FileName, Place, stem

_NAME, _PATH, _URL, _METADATA = "filename_", "pathname_", "url_", "metadata_"
_LONGEST_HEAD = 1_000_000  # characters


@dataclass(frozen=True)
class Listed:
    """An image that the csv lists.

    Attributes
    ----------
    name : FileName
    path : Path
        As the csv has it if it is there, else beside the csv or in the images' folder.
    found : bool
    """

    name: FileName
    path: Path
    found: bool


def read_load_data(table: Path, folder: Path) -> list[Listed]:
    """The images that a csv lists.

    Parameters
    ----------
    table : Path
        Its columns are [Image_]FileName_<Channel>, [Image_]PathName_<Channel>, URL_<Channel>, and Metadata_Plate,
        Metadata_Well, Metadata_Site or others. A FileName may also hold a whole path or URL.
    folder : Path
        Where files are looked for that are not where the csv says.

    Raises
    ------
    InputError
        If it cannot be read, or has no such columns.
    """
    if not table.is_file():
        raise InputError(f"{table} is {'no file' if table.exists() else 'missing'}. Check the path after --images.")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = [{_plain(key): text or "" for key, text in row.items() if key} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{table} cannot be read ({error}). Give the csv that CellProfiler's LoadData reads."
        ) from error
    channels = {
        key: key[len(start) :] for key in (rows[0] if rows else {}) for start in (_NAME, _URL) if key.startswith(start)
    }
    if not channels:
        raise InputError(
            f"{table} has no column FileName_<Channel> (expected one for each channel, as in FileName_DNA). "
            "Give the csv that CellProfiler's LoadData reads."
        )
    ids = _ids(rows, channels)
    return [
        _listed(row, field_id, key, channel, table.parent, folder)
        for row, field_id in zip(rows, ids, strict=True)
        for key, channel in channels.items()
        if row.get(key)
    ]


def lists_images_of(folder: Path, members: Sequence[str]) -> tuple[Path, list[Listed]] | None:
    """The csv among a folder's files that lists most of its images, and what it lists; None if there is none.

    Most of what it lists must be there: people keep tables of other images beside their own.
    """
    best: tuple[Path, list[Listed]] | None = None
    for name in members:
        if not name.lower().endswith(".csv") or not _names_files(folder / name):
            continue
        try:
            listed = read_load_data(folder / name, folder)
        except InputError:
            continue
        there = [one for one in listed if one.found]
        if 2 * len(there) > len(listed) and (best is None or len(there) > len(best[1])):
            best = folder / name, there
    return best


def _names_files(table: Path) -> bool:
    """Whether the first line has a column of file names: tables of measurements can be large, and are not read."""
    try:
        with table.open(encoding="utf-8-sig", errors="replace") as file:
            head = file.readline(_LONGEST_HEAD).lower()
    except OSError:
        return False
    return _NAME in head or _URL in head


def _plain(column: str) -> str:
    """A column in lower case without "Image_"; the name of the channel keeps its case."""
    name = column.strip()
    name = name[len("Image_") :] if name.lower().startswith("image_") else name
    start = next((one for one in (_NAME, _PATH, _URL, _METADATA) if name.lower().startswith(one)), "")
    return start + name[len(start) :]


def _metadata(row: Mapping[str, str], *names: str) -> str:
    low = {key.lower(): text for key, text in row.items()}
    return next((low[key] for name in names if low.get(key := _METADATA + name)), "")


def _place(row: Mapping[str, str]) -> Place:
    return Place(_metadata(row, "plate"), _metadata(row, "well", "wellid"), _metadata(row, "site", "field", "fieldid"))


def _ids(rows: list[dict[str, str]], channels: Mapping[str, str]) -> list[str]:
    """The ids of the rows: Metadata_Id, else plate, well and site, else the name of the first file."""
    given = [_metadata(row, "id") for row in rows]
    places = ["_".join(filter(None, (p.plate, p.well, p.site and f"s{p.site}"))) for p in map(_place, rows)]
    first = next(iter(channels))
    names = [stem(_file(row.get(first, ""))) for row in rows]
    for ids in (given, places):
        if all(ids) and len(set(ids)) == len(ids):
            return ids
    return names


def _file(text: str) -> str:
    """The last part of a path or URL, of any system."""
    return PureWindowsPath(text.partition("?")[0]).name


def _listed(row: dict[str, str], field_id: str, key: str, channel: str, beside: Path, folder: Path) -> Listed:
    text = row[key]
    stated = Path(row.get(_PATH + channel, "")) / text
    relative = Path(row.get(_PATH + channel, "")).name
    tries = (stated, beside / stated, folder / stated, folder / relative / _file(text), folder / _file(text),
             beside / _file(text))  # fmt: skip
    found = next((path for path in tries if "://" not in text[:10] or path.name == _file(text) if path.is_file()), None)
    return Listed(FileName(shown(field_id), channel, _place(row)), found or stated, found is not None)
