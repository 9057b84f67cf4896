"""The csv of CellProfiler's LoadData: one row a field, with a file for each channel and where on the plate it is."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from engine.csv_table import read_rows
from engine.errors import InputError
from engine.ids import shown
from features.reading.layouts.names import FileName, Place, plain_well, stem

_NAME, _PATH, _URL, _METADATA, _FRAME, _SERIES = "filename_", "pathname_", "url_", "metadata_", "frame_", "series_"
_Z, _T = ("z", "zplane", "plane", "planeid"), ("t", "timepoint", "timepointid")
_WHOLE = re.compile(r"[A-Za-z]*(\d+)(?:\.0+)?")  # z03, or 3.0 as pandas writes it beside empty cells
_LONGEST_HEAD = 1_000_000  # characters
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}
_FORM = "expected the csv that CellProfiler's LoadData reads"
_FOLDERS_KEPT = 2  # of a path that is not there: plate1/images is told apart from plate2/images


@dataclass(frozen=True)
class Listed:
    """An image that the csv lists.

    Attributes
    ----------
    name : FileName
    stated : Path
        As the csv has it, with slashes of this system.
    path : Path
        The same if it is there, else a file of this name beside the csv or in the images' folder.
    found : bool
    by_name : bool
        Found elsewhere than the csv says.
    """

    name: FileName
    stated: Path
    path: Path
    found: bool
    by_name: bool


def read_load_data(table: Path, folder: Path) -> list[Listed]:
    """The images that a csv lists.

    Parameters
    ----------
    table : Path
        Its columns are [Image_]FileName_<Channel>, [Image_]PathName_<Channel>, URL_<Channel>, and Metadata_Plate,
        Metadata_Well, Metadata_Site, Metadata_Z, Metadata_T or others. A FileName may also hold a whole path or URL.
    folder : Path
        Where files are looked for that are not where the csv says.

    Raises
    ------
    InputError
        If it cannot be read, has no such columns, a row has too few or too many cells, it chooses a frame inside a
        file, planes of a place have no whole numbers, or two paths of the csv lead to the same file.
    """
    if not table.is_file():
        raise InputError(f"{table} is {'no file' if table.exists() else 'missing'}. Check the path after --images.")
    rows = _rows(table)
    channels = _channels(rows[0] if rows else {})
    if not channels:
        raise InputError(
            f"{table} has no column FileName_<Channel> (expected one for each channel, as in FileName_DNA). "
            "Give the csv that CellProfiler's LoadData reads."
        )
    ids = _ids(table, rows, channels)
    for row, field_id in zip(rows, ids, strict=True):
        _refuse_frames(table, row, field_id, channels)
    listed = [
        _listed(row, field_id, key, channel, table.parent, folder)
        for row, field_id in zip(rows, ids, strict=True)
        for key, channel in channels.items()
        if row.get(key)
    ]
    _refuse_shared(table, listed)
    return listed


def _rows(table: Path) -> list[dict[str, str]]:
    """The cells of each row, by column."""
    try:
        rows = read_rows(table, _FORM)
    except OSError as error:
        raise InputError(f"{table} cannot be read ({error.strerror}); {_FORM}. Check its permissions.") from error
    header = rows[0][1] if rows else []
    if len(header) == 1 and (mark := next((one for one in _OTHER_MARKS if one in header[0]), "")):
        raise InputError(f"{table} is separated by {_OTHER_MARKS[mark]}; {_FORM}. Separate the columns by commas.")
    columns = [_plain(name) for name in header]
    return [dict(zip(columns, map(str.strip, cells), strict=True)) for _, cells in rows[1:]]


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
    """A column in lower case without "Image_"; the name of a channel keeps its case."""
    name = column.strip()
    name = name[len("Image_") :] if name.lower().startswith("image_") else name
    if name.lower().startswith(_METADATA):
        return name.lower()
    start = next((one for one in (_NAME, _PATH, _URL, _FRAME, _SERIES) if name.lower().startswith(one)), "")
    return start + name[len(start) :]


def _channels(columns: Collection[str]) -> dict[str, str]:
    """The columns that name files, each with its channel; a URL only where there is no FileName."""
    named = {key: key[len(_NAME) :] for key in columns if key.startswith(_NAME)}
    urls = {key: key[len(_URL) :] for key in columns if key.startswith(_URL)}
    return named | {key: channel for key, channel in urls.items() if channel not in named.values()}


def _metadata(row: Mapping[str, str], *names: str) -> str:
    return next((text for name in names if (text := row.get(_METADATA + name))), "")


def _number(row: Mapping[str, str], names: Sequence[str]) -> int:
    """Of a plane or time point; -1 where the csv states no whole number."""
    whole = _WHOLE.fullmatch(_metadata(row, *names))
    return int(whole[1]) if whole else -1


def _place(row: Mapping[str, str]) -> Place:
    well = plain_well(_metadata(row, "well", "wellid"))
    return Place(_metadata(row, "plate"), well, _metadata(row, "site", "field", "fieldid"))


def _ids(table: Path, rows: list[dict[str, str]], channels: Mapping[str, str]) -> list[str]:
    """The ids of the rows: Metadata_Id, else plate, well and site, else the name of the first file.

    Rows of one id are planes or time points of one field.
    """
    given = [_metadata(row, "id") for row in rows]
    places = ["_".join(filter(None, (p.plate, p.well, p.site and f"s{p.site}"))) for p in map(_place, rows)]
    numbers = [(_number(row, _Z), _number(row, _T)) for row in rows]
    for ids in (given, places):
        n_planes = len(set(zip(ids, numbers, strict=True)))
        if all(ids) and (n_planes == len(ids) or n_planes > len(set(ids))):
            return ids
    if all(places):
        _refuse_unnumbered(table, rows)
    first = next(iter(channels))
    return [stem(_path(row.get(first, "")).name) for row in rows]


def _refuse_unnumbered(table: Path, rows: list[dict[str, str]]) -> None:
    """Raise InputError if a plane or time point is stated otherwise than by a whole number, e.g. as a height."""
    for names in (_Z, _T):
        odd = next((text for row in rows if (text := _metadata(row, *names)) and _number(row, names) < 0), "")
        if odd:
            raise InputError(
                f"{table}: Metadata_{names[0].upper()} or the like is {shown(odd)} where several rows are of one place "
                "(expected whole numbers). Number the planes and time points from 1, or rename the column."
            )


def _refuse_frames(table: Path, row: Mapping[str, str], field_id: str, channels: Mapping[str, str]) -> None:
    """Raise InputError if the csv chooses another image inside a file than the first: it would not be the one read."""
    for start in (_FRAME, _SERIES):
        for channel in channels.values():
            if (text := row.get(start + channel, "")).strip("0."):
                raise InputError(
                    f"{table}: {start.capitalize()}{shown(channel)} of field {shown(field_id)} is {shown(text)} "
                    "(expected 0 or none), and frames inside a file are not chosen by a csv. Save each frame as a file "
                    "of its own, or leave --images out: each file is then a field of several channels."
                )


def _path(text: str) -> PureWindowsPath:
    """A path or URL, of any system."""
    return PureWindowsPath(text.partition("?")[0] if "://" in text else text)


def _listed(row: dict[str, str], field_id: str, key: str, channel: str, beside: Path, folder: Path) -> Listed:
    stated = Path((PureWindowsPath(row.get(_PATH + channel, "")) / _path(row[key])).as_posix())
    as_said = (stated, beside / stated, folder / stated)
    ends = [stated.parts[-n:] for n in range(_FOLDERS_KEPT + 1, 0, -1)]
    elsewhere = (base.joinpath(*end) for end in ends for base in (folder, beside) if len(end) < len(stated.parts))
    found = next((path for path in (*as_said, *elsewhere) if path.is_file()), None)
    name = FileName(shown(field_id), channel, _place(row), _number(row, _Z), _number(row, _T))
    return Listed(name, stated, found or stated, found is not None, found is not None and found not in as_said)


def _refuse_shared(table: Path, listed: Sequence[Listed]) -> None:
    """Raise InputError if two different paths lead to one file: their fields would have the same pixels."""
    owners: dict[Path, Listed] = {}
    for one in listed:
        owner = owners.setdefault(one.path.absolute(), one)
        if owner.stated != one.stated and (owner.by_name or one.by_name):
            raise InputError(
                f"{table} lists {shown(str(owner.stated), 300)} and {shown(str(one.stated), 300)}, of which only "
                f"{shown(str(one.path), 300)} is found (expected a file each). Correct the paths in the csv, or put "
                "the images into folders as they are there."
            )
