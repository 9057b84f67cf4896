"""Where fields are read from: the files of each field, where on the plate it is, and how it is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from features.reading.archive import Member, Unused, fingerprint
from features.reading.layouts.names import NOWHERE, Place
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.scale import AS_STORED, Scale
from features.reading.scene import NOTHING_STATED, Facts
from store.channels import Channel


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file of a field.

    Attributes
    ----------
    field_id : str
        As the file's name has it.
    channel : str
        The same; "" if the file itself holds the channels.
    member : Member
    z, t : int
        As the name has it, -1 where it has none.
    scene : int
        Which image of a file that holds several.
    """

    field_id: str
    channel: str
    member: Member
    z: int = -1
    t: int = -1
    scene: int = 0


CELLS, NUCLEI = "cells", "nuclei"


@dataclass(frozen=True, slots=True)
class Mask:
    """A label image of a field made elsewhere; `kind` is `CELLS` or `NUCLEI`."""

    kind: str
    member: Member


@dataclass(frozen=True)
class ChannelTable:
    """The channels of some fields, as file names have them.

    Attributes
    ----------
    stains : dict of Channel to str
        The channel of each stain.
    names : dict of str to str
        Names of the channels that the files or the plate's index state.
    stated_in : dict of str to str
        For the channels that stand for a stain by their name: the file that states it, "" for the plate's index.
    problem : str
        Why it is not known which channel is which stain, or "".
    """

    stains: dict[Channel, str]
    names: dict[str, str] = field(default_factory=dict)
    stated_in: dict[str, str] = field(default_factory=dict)
    problem: str = ""


_NO_CHANNELS = ChannelTable({})


@dataclass(frozen=True)
class FieldSource:
    """Fields and their files. Made by `find_fields`; parts of it are small enough to send to workers.

    Attributes
    ----------
    path : Path
        The folder or zip; of both together, the folder.
    files : dict of str to tuple of ImageFile
        The files of each field, by id; ids are sorted. An id that is not allowed (`engine.ids`) is made printable
        here; reading such a field says what is wrong with it.
    channels : dict of str to ChannelTable
        Of the fields whose files hold a channel each; fields alike share one.
    unused : tuple of Unused
        All other files, each with the reason.
    places : dict of str to Place
        Of the fields whose place on a plate is known.
    stated : dict of str to Facts
        What side files state about fields.
    options : ReadingOptions
    scale : Scale
    masks : dict of str to tuple of Mask, or None
        Of the fields that have masks; None if the cells are to be found in the images.
    """

    path: Path
    files: dict[str, tuple[ImageFile, ...]]
    channels: dict[str, ChannelTable] = field(default_factory=dict)
    unused: tuple[Unused, ...] = ()
    places: dict[str, Place] = field(default_factory=dict)
    stated: dict[str, Facts] = field(default_factory=dict)
    options: ReadingOptions = FOUR_COLOURS
    scale: Scale = AS_STORED
    masks: dict[str, tuple[Mask, ...]] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The field ids, sorted."""
        return tuple(self.files)

    def part(self, ids: Iterable[str]) -> "FieldSource":
        """The same source with these fields only."""
        wanted = tuple(ids)
        return replace(
            self,
            files={i: self.files[i] for i in wanted},
            channels={i: self.channels[i] for i in wanted if i in self.channels},
            unused=(),
            places={i: self.places[i] for i in wanted if i in self.places},
            stated={i: self.stated[i] for i in wanted if i in self.stated},
            masks=None if self.masks is None else {i: self.masks[i] for i in wanted if i in self.masks},
        )

    def fingerprint(self, ids: Iterable[str]) -> list[list[object]]:
        """What changes with the values of these fields, or with their rows, as JSON can hold it."""
        return [self._fingerprint(one) for one in ids]

    def _fingerprint(self, field_id: str) -> list[object]:
        """Its place, what is stated about it, and each of its files with what the file stands for."""
        place = self.places.get(field_id, NOWHERE)
        stated = self.stated.get(field_id, NOTHING_STATED)
        table = self.channels.get(field_id, _NO_CHANNELS)
        stain_of = {name: channel.name for channel, name in table.stains.items()}
        listed = self.options.images is not None  # a csv may list files of one name in several folders
        return [
            field_id,
            [place.plate, place.well, place.site],
            [stated.pixel_size, stated.level],
            [table.problem, *((one, table.names[one]) for one in sorted(table.stated_in))],
            *(
                [stain_of.get(file.channel), file.z, file.t, file.scene, *fingerprint(file.member)]
                + ([str(file.member.source)] if listed else [])
                for file in self.files[field_id]
            ),
            *([mask.kind, *fingerprint(mask.member)] for mask in (self.masks or {}).get(field_id, ())),
        ]
