"""From the files of a field to its four planes, brought to the scale of the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np

from engine.errors import FieldError, InputError
from engine.ids import shown, why_no_id
from features.reading.archive import Member, located, read_bytes
from features.reading.channel_tables import contradiction
from features.reading.containers import is_container, opened
from features.reading.decoding import as_pixels, decode_plane
from features.reading.image_file import UnreadableImageError
from features.reading.scale import to_scale
from features.reading.scene import NOTHING_STATED, Facts, Scene
from features.reading.source import ChannelTable, FieldSource, ImageFile
from features.reading.stack import place_in_stack, planes_of_stack
from features.reading.stains import resolve
from store.channels import CHANNELS, ER, PROTEIN, Channel

Result = TypeVar("Result")


@dataclass(frozen=True)
class StoredPlane:
    """One channel of a field as its file has it.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W)
    facts : Facts
        What the file, or the plate's side file, states.
    member : Member
    """

    pixels: np.ndarray
    facts: Facts
    member: Member


@dataclass(frozen=True)
class FieldPixels:
    """The pixels of a field, and what its files state about them.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
        In the order of `CHANNELS`; planes of stains that are absent are zeros.
    facts : Facts
        Of the nucleus channel.
    stored_shape : tuple of int
        (H, W) of the planes in their files; other than that of the pixels if these were brought to a pixel size.
    """

    pixels: np.ndarray
    facts: Facts
    stored_shape: tuple[int, int]


def read_field(source: FieldSource, field_id: str) -> np.ndarray:
    """The pixels of a field, uint8 or uint16, shape (4, H, W): those that `read_field_pixels` gives."""
    return read_field_pixels(source, field_id).pixels


def read_field_pixels(source: FieldSource, field_id: str) -> FieldPixels:
    """Read the channels of one field and bring them to the source's scale.

    Raises
    ------
    FieldError
        Of stage "read", if a file is missing, double, unreadable, or differs from the others in size or type, or if the
        protein is the same in every pixel.
    """
    stored = read_stored(source, field_id)
    planes = {channel: _scaled(source, field_id, one) for channel, one in stored.items()}
    reference = next(iter(planes))
    first = planes[reference]
    for channel, plane in planes.items():
        if plane.shape != first.shape or plane.dtype != first.dtype:
            raise FieldError(
                f"field {field_id}: {_base(stored[channel].member)} is {_describe(plane)} but "
                f"{_base(stored[reference].member)} is {_describe(first)}. Give all channels of a field the same size "
                "and bit depth.",
                field=field_id,
                path=located(stored[channel].member),
            )
    pixels = np.zeros((len(CHANNELS), *first.shape), first.dtype)
    for channel, plane in planes.items():
        pixels[channel.index] = plane
    _refuse_flat_protein(pixels, field_id, stored[PROTEIN].member)
    nucleus = next(reversed(stored.values()))
    facts = Facts(source.scale.size_of(nucleus.facts), source.scale.level_of(nucleus.facts, first))
    return FieldPixels(pixels, facts, nucleus.pixels.shape)


def read_stored(source: FieldSource, field_id: str) -> dict[Channel, StoredPlane]:
    """The planes of a field as its files have them; raises FieldError."""
    files = source.files.get(field_id, ())
    for file in files:
        if reason := why_no_id(file.field_id):
            message = f"field {shown(field_id)}: its id {reason}. Rename its files."
            raise FieldError(message, field=field_id, path=located(file.member))
    table = source.channels.get(field_id)
    if table is None:
        planes = planes_of_stack(source.options, field_id, {None: files})[None]
        return _brightest([_from_one_file(source, field_id, file) for file in planes], field_id)
    if table.problem:
        raise FieldError(f"field {field_id}: {table.problem}", field=field_id, path=located(files[0].member))
    stated = source.stated.get(field_id, NOTHING_STATED)
    return {
        channel: _from_files(source, field_id, of_channel, stated)
        for channel, of_channel in _by_channel(source, field_id, files, table).items()
    }


def _by_channel(
    source: FieldSource, field_id: str, files: Sequence[ImageFile], table: ChannelTable
) -> dict[Channel, list[ImageFile]]:
    """The files of each wanted channel; several only if they are planes of a stack that `--z` combines."""
    by_name: dict[str, list[ImageFile]] = {}
    for file in files:
        by_name.setdefault(file.channel, []).append(file)
    chosen = {}
    for channel, name in table.stains.items():
        found = by_name.get(name, [])
        if not found:
            raise _missing(source, field_id, channel, name, [one for one in by_name if one])
        chosen[channel] = found
    return planes_of_stack(source.options, field_id, chosen)


def _brightest(planes: Sequence[dict[Channel, StoredPlane]], field_id: str) -> dict[Channel, StoredPlane]:
    """The brightest values along the planes of a stack, each of which is a file of all channels."""
    found = planes[0]
    for one in planes[1:]:
        found = {
            channel: replace(plane, pixels=_brighter(plane.pixels, one[channel].pixels, field_id, one[channel].member))
            for channel, plane in found.items()
        }
    return found


def _brighter(plane: np.ndarray, other: np.ndarray, field_id: str, member: Member) -> np.ndarray:
    """The brighter value of each pixel of two planes of a stack; the second is of a file."""
    if plane.shape != other.shape or plane.dtype != other.dtype:
        raise FieldError(
            f"field {field_id}: {_base(member)} is {_describe(other)} but another plane of its stack is "
            f"{_describe(plane)}. Give all planes the same size and bit depth.",
            field=field_id,
            path=located(member),
        )
    return np.maximum(plane, other)


def _from_files(source: FieldSource, field_id: str, files: list[ImageFile], stated: Facts) -> StoredPlane:
    """One channel from its file, or the brightest of the planes of a stack."""
    pixels, facts = _from_file(source, field_id, files[0])
    for file in files[1:]:
        pixels = _brighter(pixels, _from_file(source, field_id, file)[0], field_id, file.member)
    size, level = stated.pixel_size or facts.pixel_size, facts.level or stated.level
    return StoredPlane(pixels, Facts(size, level), files[0].member)


def _from_file(source: FieldSource, field_id: str, file: ImageFile) -> tuple[np.ndarray, Facts]:
    """The one plane of a file of one channel; of a stack, the one that --z and --t choose."""

    def read() -> tuple[np.ndarray, Facts]:
        pixels, facts = plane_of_file()
        if reason := contradiction(source.channels[field_id], source.options.chosen_stains, file, facts.channel):
            raise UnreadableImageError(reason)
        return pixels, facts

    def plane_of_file() -> tuple[np.ndarray, Facts]:
        in_stack = is_container(file.member.name) and (source.options.z or source.options.t)
        if not in_stack:
            return decode_plane(read_bytes(file.member))
        with opened(file.member) as scenes:
            if len(scenes) != 1 or (len(scenes[0].channels) > 1 and not scenes[0].pages):
                raise UnreadableImageError("holds several channels or images (expected planes of one channel).")
            scene = scenes[0]
            facts = replace(scene.facts, channel=scene.channels[0] if len(scene.channels) == 1 else "")
            if scene.pages:
                scene = Scene(
                    scene.name, ("",), len(scene.channels), 1, scene.facts, lambda c, z, t: scenes[0].load(z, 0, 0)
                )
            return _projected(source, field_id, scene, 0, file.member), facts

    return _or_field_error(field_id, file.member, read)


def _from_one_file(source: FieldSource, field_id: str, file: ImageFile) -> dict[Channel, StoredPlane]:
    """All channels from the one file of a field."""

    def read() -> dict[Channel, StoredPlane]:
        with opened(file.member) as scenes:
            scene = scenes[file.scene]
            tokens = [str(k + 1) for k in range(len(scene.channels))]
            found = resolve(source.options.chosen_stains, tokens, dict(zip(tokens, scene.channels, strict=True)))
            return {
                channel: StoredPlane(
                    _projected(source, field_id, scene, int(token) - 1, file.member), scene.facts, file.member
                )
                for channel, token in found.items()
            }

    return _or_field_error(field_id, file.member, read)


def _projected(source: FieldSource, field_id: str, scene: Scene, channel: int, member: Member) -> np.ndarray:
    """The plane of a channel that --z and --t choose."""
    path = located(member)
    chosen = []
    for n, wanted, option, what in (
        (scene.n_z, source.options.z, "--z", "planes"),
        (scene.n_t, source.options.t, "--t", "time points"),
    ):
        if n > 1 and not wanted:
            raise UnreadableImageError(
                f"has {n} {what} (expected one). Say which with {option} max, {option} middle or {option} N."
            )
        one = n == 1 or wanted != "max"
        chosen.append([0 if n == 1 else place_in_stack(wanted, n, option, what, field_id, path)] if one else range(n))
    planes = (as_pixels(scene.load(channel, z, t)) for t in chosen[1] for z in chosen[0])
    pixels = next(planes)
    for plane in planes:
        pixels = np.maximum(pixels, plane)
    if pixels.ndim != 2:
        raise UnreadableImageError("is a colour image (expected one plane a channel). Save each stain as grey.")
    return pixels


def _scaled(source: FieldSource, field_id: str, plane: StoredPlane) -> np.ndarray:
    return _or_field_error(field_id, plane.member, lambda: to_scale(plane.pixels, plane.facts, source.scale))


def _or_field_error(field_id: str, member: Member, read: Callable[[], Result]) -> Result:
    path = located(member)
    try:
        return read()
    except FieldError:
        raise
    except UnreadableImageError as error:
        raise FieldError(f"field {field_id}: {_base(member)} {error}", field=field_id, path=path) from error
    except InputError as error:
        raise FieldError(f"field {field_id}: {_base(member)}: {error}", field=field_id, path=path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"field {field_id}: {_base(member)} cannot be read ({reason}). Check the file and its permissions."
        raise FieldError(message, field=field_id, path=path) from error


def _missing(source: FieldSource, field_id: str, channel: Channel, name: str, present: list[str]) -> FieldError:
    """The error for a channel without a file."""
    hpa = source.options.is_hpa
    order = [one.colour for one in CHANNELS] if hpa else sorted(present)
    found = ", ".join(one for one in order if one in present) or "none"
    remedy = "Add it, or run with --no-er." if channel == ER and hpa else "Add it."
    looked = f"{field_id}_{name}.png" if hpa else f"channel {shown(name)}"
    return FieldError(
        f"field {field_id}: channel {channel.name} is missing (looked for {looked}; found {found}). {remedy}",
        field=field_id,
        path=str(source.path),
    )


def _refuse_flat_protein(pixels: np.ndarray, field_id: str, member: Member) -> None:
    """Without contrast in the protein, a prediction would rest on the other stains only."""
    protein = pixels[PROTEIN.index]
    lowest, full = protein.min(), np.iinfo(pixels.dtype).max
    if lowest < protein.max():
        return
    found = f"channel Protein is the same everywhere (every pixel of {_base(member)} is {lowest} of {full}"
    if not pixels.any():
        found = f"every channel is black (every pixel is 0 of {full}"
    raise FieldError(
        f"field {field_id}: {found}; expected a stain), so that there is nothing to measure. "
        "Check the field's green image, or leave the field out.",
        field=field_id,
        path=located(member),
    )


def _base(member: Member) -> str:
    return shown(PurePosixPath(member.name).name)


def _describe(plane: np.ndarray) -> str:
    return f"{plane.shape[1]} x {plane.shape[0]} px, {8 * plane.itemsize} bits"
