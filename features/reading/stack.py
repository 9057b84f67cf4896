"""Which planes and time points of a field are used, where several files or one hold a stack: what --z and --t say."""

from collections.abc import Callable, Sequence

from engine.errors import FieldError
from engine.ids import shown
from features.reading.archive import located
from features.reading.options import ReadingOptions
from features.reading.source import ImageFile


def planes_of_stack(
    options: ReadingOptions, field_id: str, files: Sequence[ImageFile], of: str = ""
) -> list[ImageFile]:  # fmt: skip
    """The one file that --z and --t choose, or all planes of a stack for "max".

    Parameters
    ----------
    options : ReadingOptions
    field_id : str
    files : sequence of ImageFile
        Of the field, or of one of its channels.
    of : str
        The channel in words.

    Raises
    ------
    FieldError
        If it is not said which, or if two files are of the same plane.
    """
    found = _chosen(files, lambda file: file.t, options.t, "--t", "time points", field_id)
    found = _chosen(found, lambda file: file.z, options.z, "--z", "planes", field_id)
    if len({(file.t, file.z) for file in found} if "max" in (options.t, options.z) else {0}) == len(found):
        return found
    names = " and ".join(shown(file.member.name) for file in found[:3])
    others = ", or let --pattern name what tells them apart, as (?P<Plate>…)" if options.pattern else ""
    raise FieldError(
        f"field {field_id}: {of}has {len(found)} files ({names}; expected one). Remove all but one{others}.",
        field=field_id,
        path=located(found[0].member),
    )


def _chosen(
    files: Sequence[ImageFile],
    number_of: Callable[[ImageFile], int],
    wanted: str,
    option: str,
    what: str,
    field_id: str,
) -> list[ImageFile]:
    """The files of the wanted plane or time point; all of them for "max"."""
    numbers = sorted({number_of(file) for file in files})
    if len(numbers) == 1 or wanted == "max":
        return list(files)
    if not wanted:
        raise FieldError(
            f"field {field_id}: has {len(numbers)} {what} (expected one). Say which with {option} max, {option} middle "
            f"or {option} N.",
            field=field_id,
            path=located(files[0].member),
        )
    number = numbers[place_in_stack(wanted, len(numbers), option, what, field_id, located(files[0].member))]
    return [file for file in files if number_of(file) == number]


def place_in_stack(wanted: str, n: int, option: str, what: str, field_id: str, path: str) -> int:
    """The index of "middle" or of a number from 1."""
    place = n // 2 if wanted == "middle" else int(wanted) - 1
    if place >= n:
        raise FieldError(
            f"field {field_id}: has {n} {what}; {option} {wanted} is beyond them. Give a smaller number, or max.",
            field=field_id,
            path=path,
        )
    return place
