"""Which channel of the file names is which stain, by what each folder's index or files call the channels.

Plates of one data set may have other orders of channels, so that a name is resolved in each folder by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engine.errors import InputError
from engine.ids import shown
from features.reading.file_names import COLOURS
from features.reading.layouts.side_files import SideFile
from features.reading.options import ReadingOptions
from features.reading.probing import say_reading, stated_name
from features.reading.source import ChannelTable, ImageFile
from features.reading.stains import Stains, matching, resolve
from store.channels import Channel

_TRIED = 3  # files of a channel in a folder, until one can be opened
_PROBED = 200  # folders without an index; of more, all are opened only if these do not agree

Folder = tuple[Path, str]
Stated = dict[str, tuple[str, str]]
"""Names of channels, each with the file that states it; "" for the plate's index."""


def channel_tables(
    files: Mapping[str, Sequence[ImageFile]], indexed: Mapping[str, SideFile], options: ReadingOptions
) -> dict[str, ChannelTable]:
    """The channels of each field; nothing if the files themselves hold the channels.

    Parameters
    ----------
    files : mapping of str to sequence of ImageFile
        By field.
    indexed : mapping of str to SideFile
        What side files state, by the folder of the images.
    options : ReadingOptions

    Raises
    ------
    InputError
        If the stains of no field can be resolved. Those of some fields are left to the reading.
    """
    samples = _samples(files)
    channels = sorted({channel for _, channel in samples})
    if not channels or "" in channels:
        return {}
    stains = options.chosen_stains
    if options.is_hpa:
        colours = {name for _, name in stains.wanted} <= set(COLOURS)
        return dict.fromkeys(files, ChannelTable(dict(stains.wanted) if colours else resolve(stains, channels, {})))
    try:
        known = resolve(stains, channels, {})
    except InputError:
        return _by_folder(files, _stated_by_folders(samples, indexed), channels, stains)
    firsts = {key[1]: key for key in reversed(samples)}
    stated = _stated({key: samples[key] for key in firsts.values()}, indexed)
    names = {channel: name for of in stated.values() for channel, (name, _) in of.items()}
    return dict.fromkeys(files, ChannelTable(known, names))


def _folder_of(file: ImageFile) -> Folder:
    return file.member.source, file.member.name.rpartition("/")[0]


def _samples(files: Mapping[str, Sequence[ImageFile]]) -> dict[tuple[Folder, str], list[ImageFile]]:
    """The first files of each folder and channel."""
    samples: dict[tuple[Folder, str], list[ImageFile]] = {}
    for field_id in sorted(files):
        for file in files[field_id]:
            found = samples.setdefault((_folder_of(file), file.channel), [])
            if len(found) < _TRIED:
                found.append(file)
    return samples


def _stated(
    samples: Mapping[tuple[Folder, str], Sequence[ImageFile]], indexed: Mapping[str, SideFile]
) -> dict[Folder, Stated]:
    """What the index of each folder, else its first files, call the channels."""
    say_reading(len(samples))
    stated: dict[Folder, Stated] = {}
    for (folder, channel), files in samples.items():
        beside = indexed.get(folder[1])
        name = beside.names.get(channel.lstrip("0"), "") if beside else ""
        stated.setdefault(folder, {})[channel] = (name, "") if name else stated_name(files)
    return stated


def _stated_by_folders(
    samples: Mapping[tuple[Folder, str], Sequence[ImageFile]], indexed: Mapping[str, SideFile]
) -> dict[Folder, Stated]:
    """As `_stated`; of many folders without an index, e.g. one a field, only some are opened if these agree."""
    without = sorted({folder for folder, _ in samples if folder[1] not in indexed or not indexed[folder[1]].names})
    if len(without) > _PROBED:
        unopened = set(without).difference(without[:: -(-len(without) // _PROBED)])
        stated = _stated({key: of for key, of in samples.items() if key[0] not in unopened}, indexed)
        named = {channel for of_folder in stated.values() for channel, (name, _) in of_folder.items() if name}
        if named == set(_agreed(stated.values())):
            return stated
        return stated | _stated({key: of for key, of in samples.items() if key[0] in unopened}, indexed)
    return _stated(samples, indexed)


def _by_folder(
    files: Mapping[str, Sequence[ImageFile]], stated: Mapping[Folder, Stated], channels: Sequence[str], stains: Stains
) -> dict[str, ChannelTable]:
    """Tables of fields whose stains are called by name; fields of the same folders share one."""
    agreed = _agreed(stated.values())
    of_folders: dict[frozenset[Folder], ChannelTable] = {}
    tables = {}
    for field_id, of_field in files.items():
        folders = frozenset(map(_folder_of, of_field))
        if folders not in of_folders:
            of_folders[folders] = _table([stated.get(one, {}) for one in sorted(folders)], agreed, channels, stains)
        tables[field_id] = of_folders[folders]
    if all(table.problem for table in of_folders.values()):
        raise InputError(next(iter(of_folders.values())).problem)
    return tables


def _agreed(stated: Iterable[Stated]) -> Stated:
    """Names on which all folders agree that state one."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for of_folder in stated:
        for channel, (name, file) in of_folder.items():
            if name:
                found.setdefault(channel, {}).setdefault(name.lower(), (name, file))
    return {channel: next(iter(names.values())) for channel, names in found.items() if len(names) == 1}


def _table(stated: Sequence[Stated], agreed: Stated, channels: Sequence[str], stains: Stains) -> ChannelTable:
    """The table of fields in some folders; channels that these do not name are called as in all others.

    Stains are looked for among the channels of these folders first, as other plates may have further ones.
    """
    known: Stated = {}
    for channel, (name, file) in (one for of_folder in stated for one in of_folder.items()):
        before = known.setdefault(channel, (name, file)) if name else ("", "")
        if name and before != (name, file) and not file and not before[1]:
            return ChannelTable({}, problem=_two_names(channel, before[0], name))
    own = sorted({channel for of_folder in stated for channel in of_folder})
    known = agreed | known
    names = {channel: name for channel, (name, _) in known.items()}
    try:
        found = _resolved(stains, own, channels, names)
    except InputError as error:
        return ChannelTable({}, names, problem=str(error))
    wanted = dict(stains.wanted)
    by_name = [one for stain, one in found.items() if matching(wanted[stain], channels, {}) != [one]]
    return ChannelTable(found, names, {channel: known[channel][1] for channel in by_name})


def _resolved(
    stains: Stains, own: Sequence[str], channels: Sequence[str], names: Mapping[str, str]
) -> dict[Channel, str]:
    try:
        return resolve(stains, own, {channel: name for channel, name in names.items() if channel in own})
    except InputError:
        return resolve(stains, channels, names)


def _two_names(channel: str, first: str, second: str) -> str:
    return (
        f"the indexes of its files' folders call channel {shown(channel)} {shown(first)} and {shown(second)} (expected "
        "one name). Correct the wrong one."
    )


def contradiction(table: ChannelTable, stains: Stains, file: ImageFile, stated: str) -> str:
    """Why a file is not of the stain that its channel stands for, by the name that it states; "" if it may be.

    A plate's index may call a channel otherwise than its files do. So a file must have another channel's name there.
    """
    channel = file.channel
    if not stated or channel not in table.stated_in:
        return ""
    stain, wanted = next((one, name) for one, name in stains.wanted if table.stains[one] == channel)
    others = {name.lower() for token, name in table.names.items() if token != channel}
    by = table.stated_in[channel]
    if stated.lower() not in others and (not by or wanted.lower() in stated.lower()):
        return ""
    return (
        f"says that its channel is {shown(stated)}, but {shown(by) if by else 'the index of its plate'} says that "
        f"channel {shown(channel)} is {shown(table.names[channel])} (--stains {stain.name.lower()}={shown(wanted)}). "
        "Correct the wrong one, or put images with another order of channels in a folder of their own."
    )
