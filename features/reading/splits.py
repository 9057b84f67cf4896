"""The splits of a data folder: train and test."""

from pathlib import Path

from engine.command_line import command_line
from engine.errors import InputError
from features.reading.fields import FieldSource, find_fields
from store.run_folder import SPLITS


def find_splits(data: Path) -> dict[str, FieldSource]:
    """The splits of a data folder, train and test, each a folder, the zip as downloaded, or both together.

    Raises
    ------
    InputError
        If there is neither split, one cannot be read, or a field is in a folder and in its zip.
    """
    found = {}
    for split in SPLITS:
        if places := [path for path in (data / split, data / f"{split}.zip") if path.exists()]:
            found[split] = find_fields(*places)
    if not found:
        raise InputError(
            f"{data} holds no images (looked for train/, train.zip, test/, test.zip). Put Kaggle's files there, name "
            f"another folder with --data DIR, or run {command_line('simulate', 'data')}."
        )
    return found
