"""The same fields in other bit depths, with a camera's offset, and in smaller pixels: the same calls."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
from planted import OTHER, SPINDLE, write_planted

import pipeline
from features.reading.options import ReadingOptions
from store.classes import ORGANELLES

PIXEL = 0.2  # µm
STORED = {
    "8 bits": (lambda plane: plane, {}),
    "12 of 16 bits": (lambda plane: ((plane * 4095.0) / 255).round().astype(np.uint16), {"max_level": 4095}),
    "16 bits": (lambda plane: plane.astype(np.uint16) * 257, {"max_level": 65535}),
    "12 of 16 bits, offset 100": (
        lambda plane: ((plane * 3995.0) / 255).round().astype(np.uint16) + 100,
        {"max_level": 3995, "camera_offset": 100},
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of 8-bit fields of a known pixel size; beside it, its new fields."""
    root = tmp_path_factory.mktemp("scales")
    write_planted(root / "data", 24, 6)
    job = pipeline.Job(root / "run", root / "data", "cpu", workers=1, quiet=True)
    pipeline.extract(job, reading=ReadingOptions(pixel_size=PIXEL))
    pipeline.fit(job, n_folds=3, rounds=8, members=("lightgbm", "linear"))
    return root / "run"


def predicted(run: Path, images: Path, **reading: Any) -> pd.DataFrame:
    job = pipeline.Job(run, run.parent / "data", "cpu", workers=1, quiet=True)
    out = images.parent / f"{images.name} predicted"
    pipeline.predict(job, images, out=out, reading=ReadingOptions(**reading))
    return pd.read_csv(out / "predictions.csv", keep_default_na=False)


def written(run: Path, folder: Path, change, **options) -> Path:
    folder.mkdir()
    for path in (run.parent / "data" / "test").glob("*.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        tifffile.imwrite(folder / f"{path.stem}.ome.tif", change(plane), photometric="minisblack", **options)
    return folder


@pytest.fixture(scope="module")
def expected(run) -> pd.DataFrame:
    found = predicted(run, run.parent / "data" / "test", pixel_size=PIXEL)
    assert set(found["Called"]) == {ORGANELLES[SPINDLE], ORGANELLES[OTHER]}, "calls differ, so that a change is seen"
    return found


@pytest.mark.parametrize("name", STORED)
def test_other_bits_and_an_offset_change_no_call(name, run, expected, tmp_path):
    change, options = STORED[name]
    found = predicted(run, written(run, tmp_path / "new", change), pixel_size=PIXEL, **options)
    pd.testing.assert_series_equal(found["Called"], expected["Called"])
    organelles = [ORGANELLES[SPINDLE], ORGANELLES[OTHER]]
    np.testing.assert_allclose(found[organelles], expected[organelles], atol=1e-6)


def test_smaller_pixels_change_no_call(run, expected, tmp_path):
    def doubled(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)

    stated = {"PhysicalSizeX": PIXEL / 2, "PhysicalSizeY": PIXEL / 2}
    found = predicted(run, written(run, tmp_path / "new", doubled, metadata={"axes": "YX", **stated}))
    pd.testing.assert_frame_equal(found, expected)
