"""The splits of a data folder: train and test."""

from dataclasses import replace
from pathlib import Path

from engine.command_line import command_line
from engine.errors import InputError
from features.reading.archive import JOIN_PARTS
from features.reading.fields import find_fields, images_beside
from features.reading.options import FOUR_COLOURS, ReadingOptions
from features.reading.scale import Scale
from features.reading.source import FieldSource
from store.run_folder import SPLITS

TRAIN, TEST = SPLITS


def find_splits(data: Path, options: ReadingOptions = FOUR_COLOURS) -> dict[str, FieldSource]:
    """The splits of a data folder, train and test, each a folder, the zip as downloaded, or both together.

    A folder with neither, whose files are named by another layout than Kaggle's, is all train; so are images that a csv
    lists.

    Raises
    ------
    InputError
        If there is neither split, one cannot be read, or a field is in a folder and in its zip.
    """
    if options.images:
        return {TRAIN: find_fields(data, options=options)}
    found = {}
    for split in SPLITS:
        if places := [path for path in (data / split, data / f"{split}.zip") if path.exists()]:
            found[split] = find_fields(*places, options=options)
    if found:
        first = next(iter(found))
        beside = images_beside(data, tuple(found), options)
        return found | {first: replace(found[first], unused=found[first].unused + beside)}
    if options.layout or not options.is_hpa:
        return {TRAIN: find_fields(data, options=options)}
    if parts := sorted(part for split in SPLITS for part in data.glob(f"{split}.zip.0*")):
        raise InputError(f"{parts[0]} {JOIN_PARTS.format(name=parts[0].stem)}")
    if not data.is_dir():
        raise InputError(
            f"{data} is {'no folder' if data.exists() else 'missing'} (expected a folder with train/ or train.zip, "
            f"test/ or test.zip). Check the path, name another folder with --data DIR, or run "
            f"{command_line('simulate', 'data')}."
        )
    raise InputError(
        f"{data} holds no images (looked for train/, train.zip, test/, test.zip). Put Kaggle's files there, name "
        f"another folder with --data DIR, ask {command_line('inspect', data)} how to read other images, or run "
        f"{command_line('simulate', 'data')}."
    )


def scaled(sources: dict[str, FieldSource], scale: Scale) -> dict[str, FieldSource]:
    """The same sources, with fields brought to a scale."""
    return {split: replace(source, scale=scale) for split, source in sources.items()}
