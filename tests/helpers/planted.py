"""A small data set with planted cells: fields that show their organelle in one to three dividing cells, and others."""

from pathlib import Path

import cv2
import numpy as np

from engine.files import write_csv
from simulate.cell_lines import CELL_LINES
from simulate.field import draw_field, make_cells
from simulate.layout import METAPHASE
from simulate.plan import FieldPlan, Style
from store.channels import CHANNELS

SPINDLE, OTHER = 17, 25  # mitotic spindle, cytosol
SIZE, SEED = 288, 5


def plan(index: int, split: str) -> FieldPlan:
    """Three fields in a row are of one antibody; every other antibody stains spindles."""
    antibody = index // 3
    label = SPINDLE if antibody % 2 else OTHER
    own = np.random.default_rng([SEED, antibody])
    style = Style(
        gain=float(own.uniform(90, 180)), weights=(1.0,), size=1.0, count=1.0, grain=0.2, variation=0.2, expressing=1.0,
        haze_nucleus=0.05, haze_cytoplasm=float(own.uniform(0.08, 0.2)), debris=0.0,
    )  # fmt: skip
    line = CELL_LINES[antibody % 3]
    return FieldPlan(index, f"f{index:03d}", split, f"antibody-{antibody}", line, (label,), style)


def write_planted(data: Path, fields: int, test_fields: int) -> list[FieldPlan]:
    """Write a data set in Kaggle's layout and give the plans of all its fields."""
    plans = [plan(i, "train" if i < fields else "test") for i in range(fields + test_fields)]
    for one in plans:
        folder = data / one.split
        folder.mkdir(parents=True, exist_ok=True)
        for channel, picture in zip(CHANNELS, draw_field(one, SIZE, SEED), strict=True):
            cv2.imwrite(str(folder / f"{one.id}_{channel.colour}.png"), picture)
    write_csv(data / "train.csv", ("Id", "Target"), [(p.id, p.labels[0]) for p in plans if p.split == "train"])
    write_csv(data / "groups.csv", ("Id", "Group"), [(p.id, p.group) for p in plans])
    return plans


def spindles(one: FieldPlan) -> np.ndarray:
    """Where the dividing cells of a field are: x, y in px of its middle, shape (n, 2)."""
    rng = np.random.default_rng(np.random.SeedSequence([SEED, one.index]))
    dividing = [cell for cell in make_cells(one, SIZE, rng) if cell.body.phase == METAPHASE and cell.mask.any()]
    middles = [np.argwhere(cell.mask).mean(0) + [side.start for side in cell.window] for cell in dividing]
    return np.array(middles)[:, ::-1] if middles else np.empty((0, 2))
