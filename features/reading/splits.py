"""The splits of a data folder: train and test."""

from pathlib import Path

from engine.command_line import command_line
from engine.errors import InputError
from features.reading.fields import FieldSource, find_fields
from store.run_folder import SPLITS


def find_splits(data: Path) -> dict[str, FieldSource]:
    """The splits of a data folder, train and test, each a folder or the zip as downloaded.

    Raises
    ------
    InputError
        If neither exists, or one cannot be read.
    """
    found = {}
    for split in SPLITS:
        for path in (data / split, data / f"{split}.zip"):
            if path.exists() and split not in found:
                found[split] = find_fields(path)
    if not found:
        raise InputError(
            f"{data} holds no images (looked for train/, train.zip, test/, test.zip). Put Kaggle's files there, name "
            f"another folder with --data DIR, or run {command_line('simulate', 'data')}."
        )
    return found
