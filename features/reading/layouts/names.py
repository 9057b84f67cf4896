"""From paths to fields: what a layout's or a user's regular expression finds in the path of a file."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from engine.errors import UsageError
from features.reading.layouts.table import LAYOUTS, Layout, layout_named

_GROUPS = {
    "id": "Id", "plate": "Plate", "well": "Well", "row": "Row", "wellrow": "Row", "column": "Column", "col": "Column",
    "wellcolumn": "Column", "site": "Site", "field": "Site", "channel": "Channel", "channelnumber": "Channel",
    "wave": "Channel", "wavelength": "Channel", "stain": "Channel", "z": "Z", "plane": "Z", "zplane": "Z",
    "t": "T", "time": "T", "timepoint": "T",
}  # fmt: skip
"""Names that the groups of --pattern may have, in lower case; CellProfiler's among them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on a plate a field is; "" where not known."""

    plate: str = ""
    well: str = ""
    site: str = ""


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class FileName:
    """What a path says.

    Attributes
    ----------
    field_id : str
    channel : str
        As it stands in the name; "" if the file itself holds the channels.
    place : Place
    z, t : int
        -1 where the name has none.
    """

    field_id: str
    channel: str = ""
    place: Place = NOWHERE
    z: int = -1
    t: int = -1


Parser = Callable[[str], FileName | None]
"""From a path with forward slashes to what it says; None for a path that does not fit."""


def parser_of(layout: str, pattern: str, channels: Iterable[str] = ()) -> Parser:
    """The parser of a layout or of a user's regular expression.

    Parameters
    ----------
    layout, pattern : str
    channels : iterable of str
        Names of channels that the user chose; the layout `suffix` finds them at the end of names beside those that it
        knows.

    Raises
    ------
    UsageError
        If there is no such layout, or the expression is none, has no named group, or one whose name is not known.
    """
    if pattern:
        expression = _compiled(pattern)
        whole_path = "/" in pattern
        return lambda path: _parsed(expression.search(path if whole_path else PurePosixPath(path).name), path)
    if layout == "files":
        return lambda path: FileName(stem(path))
    found = layout_named(layout)
    if found is None:
        known = ", ".join(one.name for one in LAYOUTS)
        raise UsageError(
            f"--layout {layout} is unknown; expected one of hpa, files, {known}. Use --pattern for other names."
        )
    expression = expression_of(found)
    chosen = _ending_in(tuple(channels)) if found.name == "suffix" else None

    def parse(path: str) -> FileName | None:
        bare = without_extension(path)
        return _parsed((chosen and chosen.search(bare)) or expression.search(bare), path)

    return parse


@cache
def expression_of(layout: Layout) -> re.Pattern[str]:
    """A layout's expression, for paths without their extension."""
    return re.compile(f"(?:^|/){layout.pattern}$")


def _ending_in(channels: tuple[str, ...]) -> re.Pattern[str] | None:
    """Names that end in one of these channels."""
    words = "|".join(re.escape(channel) for channel in sorted(channels, key=len, reverse=True))
    return re.compile(f"(?:^|/)(?P<Id>[^/]+)[-_. ](?P<Channel>(?i:{words}))$") if words else None


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--pattern is no regular expression ({error}). See --help for an example.") from error
    unknown = [name for name in expression.groupindex if name.lower() not in _GROUPS]
    if unknown or not expression.groupindex:
        found = f"a group {unknown[0]!r}, whose name is not known" if unknown else "no named group"
        others = " Leave the name of another group out: (…)." if unknown else ""
        raise UsageError(
            f"--pattern has {found}; expected some of (?P<Plate>…), (?P<Well>…) or (?P<Row>…) and (?P<Column>…), "
            f"(?P<Site>…), (?P<Channel>…), (?P<Id>…), (?P<Z>…), (?P<T>…).{others}"
        )
    return expression


def _parsed(match: re.Match[str] | None, path: str) -> FileName | None:
    if match is None:
        return None
    said = {_GROUPS[name.lower()]: text for name, text in match.groupdict().items() if text}
    place = Place(said.get("Plate", ""), _well(said), said.get("Site", ""))
    channel = said.get("Channel", "")
    field_id = said.get("Id") or "_".join(filter(None, (place.plate, place.well, place.site and f"s{place.site}")))
    return FileName(
        (field_id or _rest(match, path)).strip(" ."), channel, place, _number(said.get("Z")), _number(said.get("T"))
    )


def _rest(match: re.Match[str], path: str) -> str:
    """The file's name without the channel, where the expression names nothing else."""
    name, above = stem(path), len(match.string) - len(PurePosixPath(match.string).name)
    key = next((key for key, text in match.groupdict().items() if text and _GROUPS[key.lower()] == "Channel"), None)
    if key is None or match.start(key) < above:
        return name
    start, end = (place - above for place in match.span(key))
    return (name[:start] + name[end:]).strip("-_. ")


def _well(said: Mapping[str, str]) -> str:
    """A well such as B02, from its name or from row and column."""
    if "Well" in said:
        return plain_well(said["Well"])
    if "Row" not in said or "Column" not in said:
        return ""
    row = said["Row"]
    letters = row.upper() if row.isalpha() else _letters(int(row)) if row.isdigit() and int(row) else row
    return f"{letters}{int(said['Column']):02d}" if said["Column"].isdigit() else f"{letters}{said['Column']}"


def plain_well(text: str) -> str:
    """A well as B02, from b2 as well; other names as they are."""
    letters = text.rstrip("0123456789")
    digits = text[len(letters) :]
    plain = 1 <= len(letters) <= 2 and letters.isalpha() and 1 <= len(digits) <= 2
    return f"{letters.upper()}{int(digits):02d}" if plain else text


def _letters(row: int) -> str:
    """1 to A, 27 to AA."""
    return (chr(64 + (row - 1) // 26) if row > 26 else "") + chr(65 + (row - 1) % 26)


def _number(text: str | None) -> int:
    digits = re.search(r"\d+", text or "")
    return int(digits[0]) if digits else -1


def without_extension(path: str) -> str:
    """A path without `.tif`, `.ome.tif` and the like."""
    bare = path.removesuffix(PurePosixPath(path).suffix)
    return bare[: -len(".ome")] if bare.lower().endswith(".ome") else bare


def stem(path: str) -> str:
    """The name of a file without `.tif`, `.ome.tif` and the like."""
    return PurePosixPath(without_extension(path)).name
