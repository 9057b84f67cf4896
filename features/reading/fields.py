"""Fields in folders and zips: by default four files a field, `<Id>_{red,green,blue,yellow}.png`, as Kaggle has them."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

from engine.command_line import command_line
from engine.counted import counted
from engine.errors import InputError
from engine.ids import LONGEST, shown
from features.reading.archive import Member, Unused, list_files, located
from features.reading.channel_tables import channel_tables
from features.reading.file_names import COLOURS, TABLES, hpa_name, is_image, may_be_composite, why_not_named
from features.reading.layouts.load_data import read_load_data
from features.reading.layouts.names import NOWHERE, FileName, Place, parser_of
from features.reading.layouts.side_files import SideFile, is_side_file, read_side_files, side_file_of
from features.reading.mask_names import is_named_mask
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.probing import with_scenes
from features.reading.scene import Facts
from features.reading.source import ChannelTable, FieldSource, ImageFile

_NOT_IN_IDS = ("images",)  # folders that microscopes make inside each plate's
_IN_A_PLATE = re.compile(r"TimePoint_\d+|ZStep_\d+", re.IGNORECASE)  # others, which are in ids


def find_fields(*sources: Path, options: ReadingOptions = FOUR_COLOURS) -> FieldSource:
    """List the fields in folders or zips, at any depth; nothing is extracted.

    Where a name stands in several subfolders, all ids get their subfolders in front: `plate1/A01_red.png` is of field
    `plate1_A01`.

    Parameters
    ----------
    sources : Path
        Folders or .zip files, whose fields are used together.
    options : ReadingOptions

    Raises
    ------
    InputError
        If one is missing or unreadable, a field is in two of them, none holds a field, or a stain is not there.
    """
    found = [_fields_in(Path(source), options) for source in sources]
    for k, one in enumerate(found):
        for other in found[:k]:
            if both := sorted(one.files.keys() & other.files.keys()):
                raise InputError(
                    f"field {both[0]} is in {other.path} and in {one.path} (as {counted(len(both), 'field')} in all). "
                    "Keep one copy of each field: remove the folder or the zip, or rename its files."
                )
    whole = found[0]
    for one in found[1:]:
        whole = replace(
            whole, files=whole.files | one.files, unused=whole.unused + one.unused, places=whole.places | one.places,
            stated=whole.stated | one.stated, channels=whole.channels | one.channels,
        )  # fmt: skip
    if not whole.files:
        raise _nothing([one.path for one in found], whole, options)
    return replace(whole, files=dict(sorted(whole.files.items())))


def images_beside(data: Path, read: Iterable[str], options: ReadingOptions) -> tuple[Unused, ...]:
    """Images in a data folder whose names are those of fields, but which lie beside the folders that are read.

    Not where each file is a field: then any image would be one, masks too.
    """
    if options.kind == "files":
        return ()
    inside = sorted(path for path in data.iterdir() if not path.name.startswith(".") and path.name not in read)
    members = [Member(data, path.name) for path in inside if path.is_file()]
    members += [one for path in inside if path.is_dir() and not path.is_symlink() for one in list_files(path).members]
    read_there = " and ".join(f"{name}/" for name in read)
    reason = f"lies beside {read_there}: where there is a train or a test, nothing else is read"
    return tuple(Unused(located(file.member), reason) for file, _ in _named(members, options)[0])


def _nothing(paths: list[Path], found: FieldSource, options: ReadingOptions) -> InputError:
    """The error for folders without a field."""
    places = f"{' and '.join(map(str, paths))} {'holds' if len(paths) == 1 else 'hold'} no field"
    if options.is_hpa:
        return InputError(
            f"{places} (looked for <Id>_red.png, _green, _blue, _yellow; found {len(found.unused):,} other files). "
            f"Name the files so, give another folder, or run {command_line('inspect', paths[0])} to see how to read "
            "these."
        )
    wanted = f"--layout {options.layout}" if options.layout else "--pattern" if options.pattern else "one file a field"
    example = f", such as {Path(found.unused[0].path).name}" if found.unused else ""
    return InputError(
        f"{places} (looked for names by {wanted}; found {len(found.unused):,} other files{example}). Run "
        f"{command_line('inspect', paths[0])} to see how to read them."
    )


def _fields_in(source: Path, options: ReadingOptions) -> FieldSource:
    """The fields of one folder or zip; perhaps none."""
    listing = list_files(source)
    side_files = [] if options.is_hpa else read_side_files(m for m in listing.members if is_side_file(m.name))
    if options.images:
        named, others = _listed_in_csv(source, options.images, listing.members, options)
    else:
        named, others = _named(listing.members, options)
    unused = [*listing.unused, *others]
    if options.is_hpa:
        composites = _composites(file for file, _ in named)
        unused += [Unused(located(file.member), "is a composite of several colours") for file in composites]
        named = [one for one in named if one[0] not in composites] if composites else named
    if options.kind == "files" and not options.layout:
        _refuse_kaggle_names(source, named, options)
    named, refused = with_scenes(_told_apart(named))
    found = _gathered(source, named, side_files, options)
    unused += [*refused, *_of_other_channels(found), *_missing(side_files, listing.members, source)]
    files = {i: of for i, of in found.files.items() if any(_is_wanted(file, found.channels.get(i)) for file in of)}
    return replace(found, files=files, unused=tuple(sorted(unused, key=lambda file: file.path)))


Named = tuple[ImageFile, Place]


def _refuse_kaggle_names(source: Path, named: list[Named], options: ReadingOptions) -> None:
    """Raise InputError if the stains are Kaggle's colours and the files are named so: they are not one file a field."""
    colours = {channel for _, channel in options.chosen_stains.wanted}
    if not named or not colours <= set(COLOURS):
        return
    found = [said for file, _ in named if (said := hpa_name(file.member.name))]
    if len(found) == len(named) and colours <= {said.channel for said in found}:
        raise InputError(
            f"{source}: the files are named <Id>_red, _green, _blue, but --stains alone reads each file as a field of "
            "several channels. Add --layout hpa."
        )


def _named(members: Iterable[Member], options: ReadingOptions) -> tuple[list[Named], list[Unused]]:
    """The files whose names say which field they are of, and the others with the reason; without the data's tables."""
    parse = hpa_name if options.is_hpa else parser_of(
        options.kind, options.pattern, [name for _, name in options.chosen_stains.wanted]
    )  # fmt: skip
    named: list[Named] = []
    unused = []
    for member in members:
        if member.name in TABLES:
            continue
        wanted = is_image(member.name) and (options.is_hpa or not is_named_mask(member.name))
        said = parse(member.name) if wanted else None
        if said is not None:
            named.append(_image_of(said, member))
        else:
            unused.append(Unused(located(member), why_not_named(member.name, options)))
    return named, unused


def _image_of(said: FileName, member: Member) -> Named:
    return ImageFile(said.field_id, said.channel, member, said.z, said.t), said.place


def _listed_in_csv(
    folder: Path, table: Path, members: list[Member], options: ReadingOptions
) -> tuple[list[Named], list[Unused]]:
    listed = read_load_data(table, folder)
    named = [_image_of(one.name, Member(one.path.parent, one.path.name)) for one in listed]
    used = {table.absolute(), *(one.path.absolute() for one in listed)}
    others = [m for m in members if m.name not in TABLES and (folder / m.name).absolute() not in used]
    unlisted = f"is not listed in {table.name}"
    return named, [
        Unused(located(m), unlisted if is_image(m.name) else why_not_named(m.name, options)) for m in others
    ]  # fmt: skip


def _composites(named: Iterable[ImageFile]) -> set[ImageFile]:
    """HPA's composites, `<Id>_blue_red_green.jpg`; a field with files of red, green and blue is none."""
    suspects: dict[tuple[str, str], set[ImageFile]] = {}
    for file in named:
        if may_be_composite(file.field_id):
            folder = file.member.name.rpartition("/")[0]
            suspects.setdefault((folder, file.field_id), set()).add(file)
    return {
        file
        for of_id in suspects.values()
        if not {"red", "green", "blue"} <= {file.channel for file in of_id}
        for file in of_id
    }


def _told_apart(named: list[Named]) -> list[Named]:
    """The files, with their subfolders in front of ids and plates if a channel of an id is in several subfolders."""
    folders: dict[tuple[str, str, int, int], str] = {}
    for file, _ in named:
        folder = file.member.name.rpartition("/")[0]
        if folders.setdefault((file.field_id, file.channel, file.z, file.t), folder) != folder:
            break
    else:
        return named
    parts = [PurePosixPath(file.member.name).parts[:-1] for file, _ in named]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(parts), max(parts))))
    apart = []
    for (file, place), folder in zip(named, parts):
        inner = [name for name in folder[shared:] if name.lower() not in (*_NOT_IN_IDS, file.channel.lower())]
        prefix = "_".join(inner)
        apart.append((
            replace(file, field_id="_".join(filter(None, (prefix, file.field_id)))),
            replace(place, plate=_plate_in(inner, place)),
        ))  # fmt: skip
    return apart


def _plate_in(folders: list[str], place: Place) -> str:
    """A plate with the folders that tell it apart from others of its name; those folders where it has none."""
    if not place.plate:
        return "_".join(folders) if place.well else ""
    others = [name for name in folders if name != place.plate and not _IN_A_PLATE.fullmatch(name)]
    return "_".join([*others, place.plate])


def _gathered(source: Path, named: list[Named], side_files: list[SideFile], options: ReadingOptions) -> FieldSource:
    """Files by field, with the channel of each stain, places, and what side files state."""
    files: dict[str, list[ImageFile]] = {}
    places: dict[str, Place] = {}
    stated: dict[str, Facts] = {}
    said: dict[str, SideFile] = {}
    for file, place in named:
        field_id = shown(file.field_id, LONGEST)
        files.setdefault(field_id, []).append(file)
        if side_files:
            folder = file.member.name.rpartition("/")[0]
            if folder not in said:
                said[folder] = side_file_of(file.member.name, side_files)
            beside = said[folder]
            stated[field_id] = beside.facts
            place = replace(place, plate=place.plate or beside.plate)
        if place != NOWHERE:
            places[field_id] = place
    by_name = {i: tuple(sorted(of, key=lambda file: (file.member.name, file.scene))) for i, of in files.items()}
    channels = channel_tables(by_name, said, options)
    return FieldSource(source, by_name, channels, (), places, stated, options)


def _is_wanted(file: ImageFile, table: ChannelTable | None) -> bool:
    """Whether a file's channel is that of a stain, or may be."""
    return table is None or bool(table.problem) or file.channel in table.stains.values()


def _of_other_channels(found: FieldSource) -> list[Unused]:
    """Files of channels that are no stain."""
    return [
        Unused(located(file.member), _why_no_stain(file.channel, found.channels[field_id], found.options))
        for field_id, of_field in found.files.items()
        for file in of_field
        if not _is_wanted(file, found.channels.get(field_id))
    ]


def _why_no_stain(channel: str, table: ChannelTable, options: ReadingOptions) -> str:
    if options.no_er and channel == "yellow":
        return "is of the ER channel, which --no-er leaves out"
    name = f" ({shown(table.names[channel])})" if table.names.get(channel) else ""
    return f"is of channel {shown(channel)}{name}, which --stains does not name"


def _missing(side_files: list[SideFile], members: list[Member], source: Path) -> list[Unused]:
    """Images that a plate's index lists and that are not there."""
    there = {member.name for member in members}
    return [
        Unused(shown(str(source / (one.folder + name)), 1000), "is listed in the plate's index but is not there")
        for one in side_files
        for name in sorted(one.listed)
        if one.folder + name not in there
    ]
