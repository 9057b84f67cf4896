"""What a folder of images holds, and the options that read it: layout, channels, stack, pixel size, bits."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from engine.errors import InputError
from features.reading.archive import Member, list_files
from features.reading.containers import NOT_READ, is_container, opened
from features.reading.field_reading import StoredPlane, read_stored
from features.reading.fields import find_fields
from features.reading.file_names import hpa_name, is_hidden, is_image
from features.reading.image_file import UnreadableImageError
from features.reading.layouts.load_data import Listed, lists_images_of
from features.reading.layouts.names import FileName, parser_of, without_extension
from features.reading.layouts.side_files import is_side_file, read_side_files, side_file_of
from features.reading.layouts.table import LAYOUTS
from features.reading.options import ReadingOptions
from features.reading.probing import channel_names
from features.reading.scene import Scene
from features.reading.source import FieldSource, ImageFile
from features.reading.stains import Stains, channels_in_words, guess_stains
from store.run_folder import SPLITS

LOOKED_AT = 2_000
"""Names that are compared with the layouts, evenly over all."""

_ENOUGH = 0.4  # share of the names that a layout fits
_FIELDS = 3  # that are read
_ENDING_IN_A_WORD = re.compile(r"(?:^|/)(?P<id>[^/]+)[-_. ](?P<word>[A-Za-z]\w*)$")


@dataclass(frozen=True)
class Inspection:
    """What a folder holds.

    Attributes
    ----------
    n_files : int
    formats : dict of str to int
        Files by extension.
    layout : str
        "hpa", "files" (one file a field), "csv" (a csv lists the files), or the name of another; "" if none fits.
    example : str
        A file that it fits; the csv.
    channels : tuple of str
        As file names have them, or "1", "2" ... of files that hold several.
    names : dict of str to str
        Their names, where known.
    n_z, n_t : int
    options : ReadingOptions or None
        How to read the folder; None if it cannot be read.
    source : FieldSource or None
    planes : tuple of StoredPlane
        Of the first fields.
    problem : str
        Why it cannot be read, or "".
    """

    n_files: int
    formats: dict[str, int]
    layout: str = ""
    example: str = ""
    channels: tuple[str, ...] = ()
    names: dict[str, str] | None = None
    n_z: int = 1
    n_t: int = 1
    options: ReadingOptions | None = None
    source: FieldSource | None = None
    planes: tuple[StoredPlane, ...] = ()
    problem: str = ""


def inspect_images(folder: Path) -> Inspection:
    """Look at a folder or zip; raises InputError if it is missing or no folder."""
    members = list_files(folder).members
    seen = [member for member in members if not is_hidden(member.name)]
    formats = Counter(PurePosixPath(member.name).suffix.lower() or "none" for member in seen)
    images = [member for member in seen if is_image(member.name)]
    found = Inspection(len(members), dict(formats.most_common()))
    if not images:
        other = [suffix for suffix in formats if suffix in NOT_READ]
        what = f"{other[0]} files are not supported: export them as OME-TIFF" if other else "it holds no images"
        return replace(found, problem=what)
    listed = lists_images_of(folder, [member.name for member in seen]) if folder.is_dir() else None
    if listed is not None and 2 * len({one.path for one in listed[1]}) > len(images):
        return _inspect_listed(folder, found, *listed)
    layout, named = _layout_of(images)
    if layout == "files":
        return _inspect_containers(folder, found, images)
    first = {said.channel: ImageFile(said.field_id, said.channel, member) for member, said in reversed(named)}
    tokens = tuple(sorted(first))
    found = replace(
        found, layout=layout, example=named[0][0].name, channels=tokens,
        n_z=len({said.z for _, said in named}), n_t=len({said.t for _, said in named}),
    )  # fmt: skip
    if layout == "hpa":
        split = any((folder / name).exists() for name in (*SPLITS, *(f"{one}.zip" for one in SPLITS)))
        absent = "yellow" not in first
        return _read_some(folder, replace(found, options=ReadingOptions("" if split else "hpa", no_er=absent)))
    side_files = read_side_files(member for member in members if is_side_file(member.name))
    beside = {token: side_file_of(file.member.name, side_files).names for token, file in first.items()}
    known = {token: names.get(token.lstrip("0"), "") for token, names in beside.items()}
    return _with_stains(folder, replace(found, names=channel_names(first, known)))


def _inspect_listed(folder: Path, found: Inspection, table: Path, listed: Sequence[Listed]) -> Inspection:
    """Images that a csv of CellProfiler's lists, with its names of the channels."""
    tokens = tuple(sorted({one.name.channel for one in listed}))
    found = replace(
        found, layout="csv", example=table.name, channels=tokens, names={},
        n_z=len({one.name.z for one in listed}), n_t=len({one.name.t for one in listed}),
    )  # fmt: skip
    return _with_stains(folder, found, table)


def _too_few(found: Inspection) -> str:
    what = channels_in_words(found.channels, found.names or {})
    return f"the images have {what}; a nucleus and a protein are needed"


def _layout_of(images: Sequence[Member]) -> tuple[str, list[tuple[Member, FileName]]]:
    """The layout that fits most of the names, with what it says of all; "files" if none fits enough of them."""
    step = max(len(images) // LOOKED_AT, 1)
    some = images[::step]
    best, fits, parse = "files", _ENOUGH, None
    for name in ("hpa", *(layout.name for layout in LAYOUTS)):
        parser = hpa_name if name == "hpa" else parser_of(name, "")
        said = [one for member in some if (one := parser(member.name)) is not None]
        share = len(said) / len(some)
        several = len({one.channel for one in said}) > 1 or not is_container(some[0].name)
        if share > fits and (several or name not in ("suffix", "imagej-split")):
            best, fits, parse = name, share, parser
    if parse is None:
        return "files", []
    fitting = [(member, said) for member in images if (said := parse(member.name)) is not None]
    return best, fitting + (_other_words(images, fitting) if best == "suffix" else [])


def _other_words(images: Sequence[Member], fitting: Sequence[tuple[Member, FileName]]) -> list[tuple[Member, FileName]]:
    """Files that end in a word that is no known stain, beside files of the same field that end in one."""
    ids = {said.field_id for _, said in fitting}
    known = {member.name for member, _ in fitting}
    found = []
    for member in images:
        ended = _ENDING_IN_A_WORD.search(without_extension(member.name))
        if ended and member.name not in known and ended["id"] in ids:
            found.append((member, FileName(ended["id"], ended["word"])))
    return found


def _inspect_containers(folder: Path, found: Inspection, images: Sequence[Member]) -> Inspection:
    """One file a field: the channels and the stack of the file with most channels among the first."""
    scenes: list[Scene] = []
    problem = ""
    for member in (sorted(images, key=lambda one: not is_container(one.name)))[: _FIELDS * 3]:
        try:
            with opened(member) as inside:
                scenes += [one for one in inside if is_container(member.name) or len(one.channels) > 1]
        except (UnreadableImageError, OSError) as error:
            problem = problem or f"{PurePosixPath(member.name).name} {error}".rstrip(".")
    if not scenes:
        return replace(found, problem=problem or "no layout fits the names of the files; give a --pattern for them")
    scene = max(scenes, key=lambda one: len(one.channels))
    tokens = tuple(str(k + 1) for k in range(len(scene.channels)))
    found = replace(
        found, layout="files", example=images[0].name, channels=tokens,
        names=dict(zip(tokens, scene.channels, strict=True)), n_z=max(one.n_z for one in scenes),
        n_t=max(one.n_t for one in scenes),
    )  # fmt: skip
    return _with_stains(folder, found)


def _with_stains(folder: Path, found: Inspection, table: Path | None = None) -> Inspection:
    """With a proposal for stains and stack, and some fields read by it; `table` is a csv that lists the images."""
    stains = guess_stains(found.channels, found.names or {})
    if stains is None:
        return replace(found, problem=_too_few(found))
    options = ReadingOptions(
        "" if table or found.layout == "files" else found.layout, images=table, stains=stains.text(),
        z="max" if found.n_z > 1 else "", t="1" if found.n_t > 1 else "",
    )  # fmt: skip
    return _read_some(folder, replace(found, options=options))


def _read_some(folder: Path, found: Inspection) -> Inspection:
    options = found.options
    if options is None:
        return found
    places = [folder / name for split in SPLITS for name in (split, f"{split}.zip")]
    inner = [path for path in places if path.exists()] if options.is_hpa or found.layout else []
    try:
        source = find_fields(*(inner or [folder]), options=options)
    except InputError as error:
        return replace(found, problem=str(error).rstrip("."))
    planes: list[StoredPlane] = []
    problem = ""
    for field_id in source.ids[: _FIELDS * 3]:
        try:
            planes += read_stored(source, field_id).values()
        except InputError as error:
            problem = problem or str(error).rstrip(".")
        if len(planes) >= _FIELDS * len(source.options.chosen_stains.wanted):
            break
    return replace(found, source=source, planes=tuple(planes), problem="" if planes else problem)


def stains_of(found: Inspection) -> Stains | None:
    """The proposed stains."""
    return found.options.chosen_stains if found.options else None
