"""Are simulated fields of the real kind? Their brightness, nuclei and crowding beside real fields'.

    python -m benchmarks.compare_simulated REAL_DIR OUT.png [--simulated DIR] [--fields 60]

REAL_DIR holds <Id>_{red,green,blue,yellow}.png (Kaggle's train folder). Without --simulated, fields are simulated
first. Prints a table (quartiles over the fields) and writes OUT.png: real fields above, simulated ones below, in HPA's
colours, with the brightness histograms of the channels at the right.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from simulate import simulate

COLOURS = ("red", "green", "blue", "yellow")
SHOWN = 10


def read_fields(folder: Path, most: int) -> list[np.ndarray]:
    """The first fields of a folder, each (4, H, W) uint8."""
    ids = sorted(path.name.removesuffix("_blue.png") for path in folder.glob("*_blue.png"))[:most]
    return [np.stack([cv2.imread(str(folder / f"{i}_{c}.png"), cv2.IMREAD_GRAYSCALE) for c in COLOURS]) for i in ids]


def nucleus_diameters(field: np.ndarray) -> np.ndarray:
    """Equivalent diameters in px of the nuclei that the border does not cut: Otsu's threshold, opened, connected."""
    smooth = cv2.GaussianBlur(field[2], (0, 0), 2)
    _, mask = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    left, top, width, height, area = stats[1:].T
    whole = (left > 0) & (top > 0) & (left + width < field.shape[2]) & (top + height < field.shape[1])
    return np.sqrt(4 / np.pi * area[whole & (area > 60)])


def describe(field: np.ndarray) -> dict[str, float]:
    """The numbers that are compared, of one field."""
    diameters = nucleus_diameters(field)
    numbers = {"nuclei": len(diameters), "nucleus px": float(np.median(diameters)) if len(diameters) else np.nan}
    for colour, plane in zip(COLOURS, field, strict=True):
        numbers[f"{colour} mean"] = plane.mean()
        numbers[f"{colour} median"] = np.median(plane)
        numbers[f"{colour} 99 %"] = np.percentile(plane, 99)
        numbers[f"{colour} share <= 3"] = (plane <= 3).mean()
        smooth = cv2.GaussianBlur(plane, (0, 0), 1.5).astype(float)
        numbers[f"{colour} pixel noise"] = abs(plane - smooth).sum() / max(smooth.sum(), 1)
    return numbers


def print_table(real: list[np.ndarray], simulated: list[np.ndarray]) -> None:
    """Quartiles over the fields, real beside simulated."""
    rows = {kind: [describe(field) for field in fields] for kind, fields in (("real", real), ("simulated", simulated))}
    print(f"{'quartiles over fields':22s}{f'real ({len(real)})':>28s}{f'simulated ({len(simulated)})':>28s}")
    for name in rows["real"][0]:
        cells = [np.nanpercentile([row[name] for row in rows[kind]], (25, 50, 75)) for kind in rows]
        print(f"{name:22s}" + "".join(f"{' '.join(f'{value:8.2f}' for value in c):>28s}" for c in cells))


def in_colour(field: np.ndarray) -> np.ndarray:
    """A field in HPA's colours: RGB uint8."""
    red, green, blue, yellow = field.astype(np.float32)
    return np.clip(np.stack([red + yellow / 2, green + yellow / 2, blue], -1), 0, 255).astype(np.uint8)


def draw(real: list[np.ndarray], simulated: list[np.ndarray], out: Path) -> None:
    """Real fields above, simulated fields below, histograms at the right."""
    figure, axes = plt.subplots(4, SHOWN // 2 + 1, figsize=(3.1 * (SHOWN // 2 + 1), 12.4), layout="constrained")
    for row, (fields, kind) in enumerate(
        [(real, "real"), (real, "real"), (simulated, "simulated")] + [(simulated, "simulated")]
    ):
        first = (row % 2) * (SHOWN // 2)
        for axis, field in zip(axes[row], fields[first : first + SHOWN // 2]):
            axis.imshow(in_colour(field))
            axis.set_title(kind, fontsize=8)
    for axis in axes[:, :-1].flat:
        axis.set_axis_off()
    for channel, (axis, colour) in enumerate(zip(axes[:, -1], COLOURS, strict=True)):
        for fields, style in ((real, "-"), (simulated, "--")):
            counts = sum(np.bincount(field[channel].ravel(), minlength=256) for field in fields)
            axis.semilogy(counts / counts.sum(), style, color="0.2", label="real" if style == "-" else "simulated")
        axis.set_title(f"{colour}: share of pixels per grey level", fontsize=8)
        axis.legend(fontsize=7)
    figure.savefig(out, dpi=80)


def main() -> None:
    """Read or simulate, compare, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--simulated", type=Path, help="a folder of simulated fields; default: simulate some")
    parser.add_argument("--fields", type=int, default=60)
    options = parser.parse_args()
    real = read_fields(options.real, options.fields)
    with tempfile.TemporaryDirectory() as folder:
        if options.simulated is None:
            simulate(Path(folder), fields=options.fields, test_fields=0)
        simulated = read_fields(options.simulated or Path(folder) / "train", options.fields)
    print_table(real, simulated)
    draw(real, simulated, options.out)


if __name__ == "__main__":
    main()
