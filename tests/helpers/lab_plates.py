"""A lab's own folder, simulated: MetaXpress names, 16-bit TIFF, three stains, plates that differ, six own classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from simulate.field import draw_field
from simulate.plan import FieldPlan, draw_style, make_plan

CLASSES = {
    "diffuse nuclear": 0, "nuclear spots": 4, "perinuclear": 7, "thread network": 23, "cell edge": 21, "diffuse": 25,
}  # fmt: skip
"""Names that a lab might use, and the simulated organelle behind each."""

STAINS = (2, 1, 0)
"""Of a simulated field for w1 to w3: nucleus, protein, microtubules."""


def write_plates(
    data: Path, plates: dict[str, float], wells: int = 3, size: int = 128, labels: bool = True
) -> list[str]:
    """Write plates, each with its own gain, and train.csv; one site a well. Returns the ids that the layout gives."""
    base = make_plan(2, 0, seed=0)[0]
    line, ids, rows = base.cell_line, [], ["Id,Target"]
    for p, (plate, gain) in enumerate(plates.items()):
        folder = data / plate / "TimePoint_1"
        folder.mkdir(parents=True)
        for k in range(len(CLASSES) * wells):
            name, organelle = list(CLASSES.items())[k % len(CLASSES)]
            index = 1000 * p + k + int(1e5 * gain)
            style = replace(
                draw_style(1, np.random.default_rng(index)), gain=120.0, expressing=1.0, haze_cytoplasm=0.02
            )
            plan = FieldPlan(index, f"f{index}", "train", plate, line, (organelle,), style)
            well = f"{'ABC'[k // 6]}{k % 6 + 1:02d}"
            for w, stain in enumerate(STAINS, start=1):
                pixels = draw_field(plan, size, seed=1)[stain].astype(np.float64) * 250 * gain
                file = folder / f"{plate}_{well}_s1_w{w}.TIF"
                tifffile.imwrite(file, pixels.clip(0, 65535).astype(np.uint16), photometric="minisblack")
            ids.append(f"{plate}_{well}_s1")
            rows.append(f"{ids[-1]},{name}")
    if labels:
        (data / "train.csv").write_text("\n".join(rows) + "\n")
    return ids
