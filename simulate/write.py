"""Simulated fields on disk, in Kaggle's layout. Every file is whole or absent."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from engine.errors import InputError
from engine.files import read_json, whole, write_csv, write_json
from simulate.field import draw_field
from simulate.plan import FieldPlan
from store.channels import CHANNELS
from store.stamp import code_of

MARKER = "simulated.json"
REAL_FILES = ("train.csv", "train.zip", "test.zip", "sample_submission.csv")
PNG_SETTINGS = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def prepare_folder(data: Path, settings: dict[str, int]) -> None:
    """Make the folder, mark it as simulated, and remove simulated pictures of other settings.

    Raises
    ------
    InputError
        If the folder holds data without our mark.
    """
    marker = data / MARKER
    mark = {"simulated": True, **settings, "code": code_of("simulate")}
    if marker.is_file():
        if read_json(marker) == mark:
            return
        for split in ("train", "test"):
            for picture in (data / split).glob("sim-*.png"):
                picture.unlink()
            if (data / split).is_dir() and not any((data / split).iterdir()):
                (data / split).rmdir()  # an empty folder of test fields would be taken for a mistake
    else:
        for name in REAL_FILES:
            if (data / name).exists():
                raise InputError(
                    f"{data / name} exists without {MARKER} beside it, so it was not simulated (expected an empty "
                    "folder or simulated data). Name an empty folder; nothing was overwritten."
                )
    write_json(marker, mark)


def write_tables(data: Path, plan: Sequence[FieldPlan]) -> None:
    """Write train.csv, sample_submission.csv, test_truth.csv and groups.csv."""
    train = [(one.id, _target(one)) for one in plan if one.split == "train"]
    test = [(one.id, _target(one)) for one in plan if one.split == "test"]
    write_csv(data / "train.csv", ("Id", "Target"), train)
    write_csv(data / "test_truth.csv", ("Id", "Target"), test)
    write_csv(data / "sample_submission.csv", ("Id", "Predicted"), [(field, "0") for field, _ in sorted(test)])
    groups = [(one.id, one.group, one.cell_line.name) for one in plan]
    write_csv(data / "groups.csv", ("Id", "Group", "CellLine"), groups)


def _target(one: FieldPlan) -> str:
    """Labels as Kaggle writes them: numbers separated by spaces."""
    return " ".join(str(label) for label in one.labels)


def write_field(data: Path, plan: FieldPlan, size: int, seed: int) -> str:
    """Draw one field and write its four pictures, unless all of them exist. Returns its id."""
    paths = [data / plan.split / f"{plan.id}_{channel.colour}.png" for channel in CHANNELS]
    if not all(path.is_file() for path in paths):
        for path, picture in zip(paths, draw_field(plan, size, seed), strict=True):
            with whole(path) as temporary:
                temporary.write_bytes(cv2.imencode(".png", picture, PNG_SETTINGS)[1].tobytes())
    return plan.id
