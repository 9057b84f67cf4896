"""Deciding the scale of a data set before its fields are measured: bit depth, level, camera offset, pixel size.

What files state counts; what they do not state comes from the user, or is derived from all pixels, and is said.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.counted import counted
from engine.errors import FieldError, InputError
from features.reading.field_reading import StoredPlane, read_stored
from features.reading.options import ReadingOptions
from features.reading.scale import Scale, same_size
from features.reading.source import FieldSource

SAMPLED = 24
"""Fields that are looked at, evenly over the data set; others that contradict them fail when they are read."""

_DARK = 0.001  # this share of a plane's pixels is darker than its darkest level
_OFFSET = 0.01  # a difference in darkness of this share of the range may be a camera's offset
_BITS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Acquisition:
    """The scale of a data set, with where it comes from.

    Attributes
    ----------
    scale : Scale
    darkest : float
        The darkest level of the sampled planes after the camera's offset was taken off, as a share of the range.
    level_from, size_from : str
        Where level and pixel size come from, in words; "" if every file states its bits, or no pixel size is known.
    overruled : tuple of float
        Pixel sizes that files state, µm, where the user gave another for all of them.
    """

    scale: Scale
    darkest: float
    level_from: str = ""
    size_from: str = ""
    overruled: tuple[float, ...] = ()

    def sentences(self) -> list[str]:
        """What was not stated by the files, or differs from the plain case of 8 bits."""
        lines = []
        if self.level_from:
            lines.append(f"highest value of a pixel: {self.scale.level:,} ({self.level_from})")
        if self.scale.offset:
            lines.append(f"camera offset: {self.scale.offset:,}, taken off every pixel")
        if self.scale.pixel_size:
            lines.append(f"pixel size: {self.scale.pixel_size:.4g} µm ({self.size_from})")
        return lines


@dataclass(frozen=True)
class _Sample:
    planes: list[StoredPlane]

    @property
    def bits(self) -> int:
        return 16 if any(plane.pixels.itemsize > 1 for plane in self.planes) else 8

    @property
    def unstated(self) -> list[StoredPlane]:
        """16-bit planes that do not state how many bits are used."""
        return [plane for plane in self.planes if plane.pixels.itemsize > 1 and plane.facts.level is None]

    @property
    def stated_levels(self) -> set[int]:
        """The highest values that 16-bit planes state."""
        return {level for plane in self.planes if plane.pixels.itemsize > 1 and (level := plane.facts.level)}

    @property
    def unsized(self) -> bool:
        """Whether no plane states a pixel size."""
        return bool(self.planes) and not any(plane.facts.pixel_size for plane in self.planes)

    @property
    def darkest(self) -> int:
        """The darkest level of all planes that hold an image."""
        lit = [plane.pixels for plane in self.planes if plane.pixels.min() < plane.pixels.max()]
        return int(min((np.partition(one, k := int(_DARK * one.size), axis=None)[k] for one in lit), default=0))


Brightest = Callable[[], int]
"""The brightest pixel of all fields; reads every file, so it is asked only if needed."""


def survey(sources: Iterable[FieldSource], options: ReadingOptions, brightest: Brightest) -> Acquisition:
    """Decide the scale of a data set that is measured for the first time.

    Parameters
    ----------
    sources : iterable of FieldSource
    options : ReadingOptions
    brightest : callable

    Raises
    ------
    InputError
        If some files state a pixel size or the highest value of a pixel, and others none.
    """
    sample = _sample(sources)
    offset = _offset(sample, options)
    level, level_from = _level(sample, options, brightest, offset)
    sizes = Counter(round(size, 6) for plane in sample.planes if (size := plane.facts.pixel_size))
    size, size_from = options.pixel_size, "--pixel-size"
    if size is None and sizes:
        size, size_from = sizes.most_common(1)[0][0], "stated by the files"
        if len(sizes) > 1:
            size_from += f", which have {len(sizes)} sizes: the others are brought to this one"
        if len(sample.planes) > sizes.total():
            raise InputError(
                f"some images state a pixel size ({size:.4g} µm) and others none. Give it for all with --pixel-size UM."
            )
    scale = Scale(
        sample.bits, level, options.max_level is not None, offset, size, options.pixel_size,
        options.pixel_size is not None, options.pixel_size is None and sample.unsized,
    )  # fmt: skip
    given = options.pixel_size
    overruled = tuple(sorted(one for one in sizes if given is not None and not same_size(one, given)))
    return Acquisition(scale, _darkness(sample, scale), level_from, size_from if size else "", overruled)


def survey_like(
    sources: Sequence[FieldSource], options: ReadingOptions, brightest: Brightest, run: Acquisition
) -> Acquisition:
    """Decide how new fields are brought to the scale of a run.

    Raises
    ------
    InputError
        If their pixel size, or whether a camera's offset is in them, cannot be told and matters.
    """
    sample = _sample(sources)
    given = replace(
        options, max_level=_max_level_like(sample, options, run), pixel_size=_size_like(sample, options, run)
    )
    offset = run.scale.offset if options.camera_offset is None else _offset(sample, options)
    level, level_from = _level_like(sample, given, brightest, offset, run)
    if given.max_level != options.max_level:
        level_from = "--max-level of the run"
    if options.camera_offset is None and level != run.scale.level:
        offset = 0  # the run's is that of another camera
    size_from = "of the run, to which the new fields are brought" if run.scale.pixel_size else ""
    if given.pixel_size != options.pixel_size:
        size_from = f"--pixel-size of the run, whose files state {said_sizes(run.overruled)} too"
    scale = Scale(
        run.scale.bits, level, given.max_level is not None, offset, run.scale.pixel_size, given.pixel_size,
        given.pixel_size is not None, given.pixel_size is None and sample.unsized,
    )  # fmt: skip
    found = Acquisition(scale, _darkness(sample, scale), level_from, size_from)
    if options.camera_offset is None and abs(found.darkest - run.darkest) > _OFFSET:
        raise InputError(
            f"the darkest pixels of the new fields lie at {found.darkest:.1%} of the range, those of the run's fields "
            f"at {run.darkest:.1%}. If the camera adds an offset, take it off with --camera-offset auto or a number; "
            "if not, keep the pixels as they are with --camera-offset 0."
        )
    return found


def unknown_size(sources: Iterable[FieldSource], options: ReadingOptions, run: Acquisition) -> str:
    """A sentence if new fields have a pixel size while the run's is unknown, so that they cannot be compared; or ""."""
    if run.scale.pixel_size:
        return ""
    if options.pixel_size is not None:
        return (
            f"--pixel-size {options.pixel_size:.4g} cannot bring the new fields to the scale of the run, whose pixel "
            "size is not known: texture is comparable only if it is the same"
        )
    sizes = sorted({size for plane in _sample(sources).planes if (size := plane.facts.pixel_size)})
    said = f"the new fields have pixels of {said_sizes(sizes)}; those of the run are not known"
    return f"{said}: texture is comparable only if they are the same" if sizes else ""


def brightest_of(source: FieldSource) -> int:
    """The brightest pixel of the fields of a source, of files that do not state their bits; 0 if there are none."""
    return max((int(plane.pixels.max()) for plane in _Sample(list(_planes(source, source.ids))).unstated), default=0)


def _sample(sources: Iterable[FieldSource]) -> _Sample:
    """Planes of some fields of each source, evenly over its ids; fields that cannot be read are left to the reading."""
    planes: list[StoredPlane] = []
    for source in sources:
        ids = source.ids
        chosen = sorted({k * len(ids) // SAMPLED for k in range(SAMPLED)}) if ids else []
        planes += _planes(source, [ids[k] for k in chosen])
    return _Sample(planes)


def _planes(source: FieldSource, ids: Sequence[str]) -> Iterator[StoredPlane]:
    for field_id in ids:
        try:
            yield from read_stored(source, field_id).values()
        except FieldError:
            continue


def _level(sample: _Sample, options: ReadingOptions, brightest: Brightest, offset: int) -> tuple[int | None, str]:
    if options.max_level is not None:
        return options.max_level, "--max-level"
    if not sample.unstated:
        return None, ""
    return _derived(sample, brightest(), offset)


def _derived(sample: _Sample, found: int, offset: int) -> tuple[int, str]:
    level = _full_level(found - offset)
    if others := sorted(sample.stated_levels - {level}):
        raise InputError(
            f"some 16-bit images state their highest value ({others[0]:,}) and others none (their brightest pixel is "
            f"{found:,}). Give it for all with --max-level."
        )
    return level, f"the 16-bit files state none; derived from the brightest pixel of all, {found:,}; see --max-level"


def _level_like(
    sample: _Sample, options: ReadingOptions, brightest: Brightest, offset: int, run: Acquisition
) -> tuple[int | None, str]:
    """Unstated bits of new fields are those of the run's fields, if these did not state them either.

    Raises
    ------
    InputError
        If a pixel of the new fields lies above them.
    """
    of_run = run.scale.level
    if options.max_level is not None or not sample.unstated or of_run is None:
        return _level(sample, options, brightest, offset)
    if (found := brightest()) - offset > of_run:
        raise InputError(
            f"the new images do not state the highest value that a pixel can have, and one has {found:,}, above the "
            f"run's {of_run:,}. If their camera is the run's, the run's value was taken too low: extract and fit the "
            f"run again with --max-level {_full_level(found - offset)}. If it is another camera, give its highest "
            "value here with --max-level."
        )
    return of_run, "the 16-bit files state none; that of the run; see --max-level"


def _max_level_like(sample: _Sample, options: ReadingOptions, run: Acquisition) -> int | None:
    """--max-level, or that of the run if the new files have as many bits as the run's."""
    bits = {8 * plane.pixels.itemsize for plane in sample.planes}
    holds = options.max_level is None and run.scale.level_of_all and bits <= {run.scale.bits}
    return run.scale.level if holds else options.max_level


def _size_like(sample: _Sample, options: ReadingOptions, run: Acquisition) -> float | None:
    """--pixel-size, or that of the run if the new files state what it corrected in the run's; None to believe them.

    Raises
    ------
    InputError
        If they state none, or another one where the user did not believe the run's files.
    """
    of_run, stated = run.scale.pixel_size, {plane.facts.pixel_size for plane in sample.planes}
    if options.pixel_size is not None or of_run is None:
        return options.pixel_size
    if None in stated:
        raise InputError(
            f"the run's fields have pixels of {of_run:.4g} µm, and the new images do not state their pixel size. Give "
            "it with --pixel-size UM."
        )
    others = sorted(size for size in stated if size and not same_size(size, of_run))
    if not run.overruled or not others:
        return None
    if not all(any(same_size(size, one) for one in run.overruled) for size in others):
        raise InputError(
            f"the run's files state {said_sizes(run.overruled)}, which its --pixel-size corrected to {of_run:.4g} µm; "
            f"the new images state {said_sizes(others)}. Give their size with --pixel-size UM."
        )
    return of_run


def _offset(sample: _Sample, options: ReadingOptions) -> int:
    if options.camera_offset == "auto":
        return sample.darkest
    return int(options.camera_offset or 0)


def _darkness(sample: _Sample, scale: Scale) -> float:
    """The darkest level as a share of the range."""
    levels = [level for plane in sample.planes if (level := scale.level_of(plane.facts, plane.pixels))]
    return max(sample.darkest - scale.offset, 0) / max(levels) if levels else 0.0


def _full_level(brightest: int) -> int:
    """The highest value of the smallest usual bit depth that holds a pixel."""
    return next((2**bits - 1 for bits in _BITS if brightest < 2**bits), 2 ** _BITS[-1] - 1)


def said_sizes(sizes: Iterable[float]) -> str:
    """E.g. "0.325 µm"; of several "2 pixel sizes"."""
    known = list(sizes)
    return f"{known[0]:.4g} µm" if len(known) == 1 else counted(len(known), "pixel size")
