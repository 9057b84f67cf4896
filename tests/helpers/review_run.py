"""A small run to review, of random features and simple images; and its page, started as a user would."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from random_run import make_run

from features.extraction.field_level import field_hashes

ROOT = Path(__file__).resolve().parents[2]
SIDE = 96
CLASSES = {"Nucleoplasm": 0, "Cytosol": 25, "Nucleoli": 2}


@dataclass(frozen=True)
class Made:
    """The folders of a run to review."""

    data: Path
    run: Path


def make_review(root: Path, n: int = 24, labelled: bool = True, images: bool = True) -> Made:
    """Fields train-000 to train-n and two test fields; Nucleoplasm for every second, Cytosol for every third."""
    made, fields = Made(root / "data", root / "run"), {"train": n, "test": 2}
    made.data.mkdir(parents=True)
    hashes = {}
    if images:
        rng = np.random.default_rng(8)
        for split, count in fields.items():
            (made.data / split).mkdir()
            for k in range(count):
                field = f"{split}-{k:03d}"
                hashes[field] = field_hashes(write_images(made.data / split, field, rng))
    make_run(made.run, np.random.default_rng(7), fields, hashes=hashes)
    if labelled:
        rows = [f"train-{k:03d},{' '.join(map(str, numbers(k)))}" for k in range(n)]
        (made.data / "train.csv").write_text("\n".join(["Id,Target", *rows]) + "\n")
    return made


def numbers(k: int) -> list[int]:
    """The label numbers of field k."""
    return [number for number, every in ((0, 2), (25, 3), (2, 5)) if k % every == 0] or [2]


def write_images(folder: Path, field: str, rng: np.random.Generator) -> np.ndarray:
    """Two round cells; all but nuclei on a dim background that differs between fields: uint8, (4, SIDE, SIDE)."""
    channels = []
    for colour, radius in (("red", 22), ("green", 18), ("blue", 10), ("yellow", 20)):
        dim = cv2.resize(rng.uniform(0, 60 * (colour != "blue"), (8, 8)), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        image = (dim + rng.integers(0, 12, (SIDE, SIDE))).astype(np.uint8)
        for centre in ((28, 30), (66, 64)):
            cv2.circle(image, centre, radius, 190, -1)
        cv2.imwrite(str(folder / f"{field}_{colour}.png"), image)
        channels.append(image)
    return np.stack(channels)


def state_pixel_size(folder: Path, field: str, size: float) -> None:
    """Write the images of a field as OME-TIFF that state the size of a pixel, µm, instead of PNG."""
    stated = {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    for path in sorted(folder.glob(f"{field}_*.png")):
        tifffile.imwrite(path.with_suffix(".tif"), cv2.imread(str(path), 0), ome=True, metadata={"axes": "YX"} | stated)
        path.unlink()


def fit_quickly(made: Made) -> None:
    """A fit of one linear model a class, in three folds."""
    import pipeline

    pipeline.fit(pipeline.Job(made.run, made.data, workers=1, quiet=True), n_folds=3, members=("linear",))


@contextlib.contextmanager
def page_of(made: Made, *options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Start `review`; yields the address of the page and the process, which is killed at the end."""
    command = [sys.executable, str(ROOT / "cli.py"), "review", "--data", str(made.data), "--run", str(made.run)]
    command += ["--no-browser", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            if "http://" not in line:
                raise RuntimeError(process.stderr.read())
            yield line.split()[-1], process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)


def opened(made: Made, **options):
    """The state of the page, once all work in the background has ended."""
    from commands.job import Job
    from review.state import Review

    review = Review(Job(made.run, made.data).folder, made.data, None, lambda: None, **options)
    review.begin()
    ends = time.monotonic() + 60
    while any(state["stage"] in ("waiting", "running") for state in review.tasks.shown().values()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert [state["error"] for state in review.tasks.shown().values() if state["error"]] == []
    return review
