"""Draw the pictures of README and docs, from simulated fields.

    python -m benchmarks.pictures [OUT]        # OUT: docs/pictures

outlines.png: a field in HPA's colours, and with its outlines. channels.png: its four stains. organelles.png: eight of
the 28 organelles. families.png: one cell as each family of features sees it. Same code, same pictures. Each has as many
colours as 200 kB allow.
"""

import argparse
import io
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from benchmarks.cell_maps import MAPS
from benchmarks.cell_view import View
from engine.files import whole
from features.core.cells import make_cells
from features.core.device import open_device
from features.segmentation.segment import segment
from report.drawing import brightened, edges, in_colour
from simulate.cell_lines import CELL_LINES
from simulate.field import draw_field
from simulate.plan import FieldPlan, Style
from store.channels import CHANNELS
from store.classes import ORGANELLES

OUT = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LARGEST = 195_000  # bytes
GROUND = "#101014"
SIZE = 512
COLOURS = {"red": (1, 0.2, 0.15), "green": (0.2, 1, 0.2), "blue": (0.3, 0.45, 1), "yellow": (1, 0.9, 0.1)}
STYLE = Style(
    gain=170, weights=(1.0,), size=1.0, count=1.0, grain=0.3, variation=0.15, expressing=1.0, haze_nucleus=0.01,
    haze_cytoplasm=0.03, debris=0,
)  # fmt: skip
SHOWN = (("Nuclear membrane", 1), ("Nucleoli", 2), ("Golgi apparatus", 22), ("Mitochondria", 4), ("Peroxisomes", 2),
         ("Actin filaments", 3), ("Plasma membrane", 6), ("Cell junctions", 8))  # fmt: skip
"""Organelles of the contact sheet, and the number of the field drawn for each."""


def field_of(organelle: str, number: int, line: str = "A-431") -> np.ndarray:
    """A simulated field of one organelle, uint8, (4, H, W)."""
    cell_line = next(one for one in CELL_LINES if one.name == line)
    labels = (ORGANELLES.index(organelle),)
    return draw_field(FieldPlan(number, "shown", "train", "shown", cell_line, labels, STYLE), SIZE, seed=0)


def coloured(pixels: np.ndarray) -> np.ndarray:
    """HPA's colours as RGB uint8."""
    return in_colour(pixels)[..., ::-1].copy()


def draw_outlines() -> plt.Figure:
    """A field, and the same with the outlines of its cells and nuclei."""
    pixels = field_of("Golgi apparatus", 11, "U-2 OS")
    found = segment(pixels)
    plain = cv2.resize(coloured(pixels), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    drawn = plain // 2
    for labels, colour in ((found.cells, (255, 255, 255)), (found.nuclei, (86, 200, 255))):
        large = cv2.resize(labels, plain.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        drawn[cv2.dilate(edges(large).astype(np.uint8), np.ones((3, 3))) > 0] = colour
    titles = ("a field: microtubules, protein, nucleus, ER", f"its {found.n} cells and their nuclei")
    return _panels([(title, "", image) for title, image in zip(titles, (plain, drawn), strict=True)], 2)


def draw_channels() -> plt.Figure:
    """The four stains of a part of a field, each in its colour."""
    pixels = field_of("Golgi apparatus", 11, "U-2 OS")[:, 70:326, 230:486]
    panels = []
    for channel in CHANNELS:
        shown = brightened(pixels[channel.index])[..., None] * np.array(COLOURS[channel.colour])
        panels.append((f"{channel.name}", channel.colour, shown.astype(np.uint8)))
    return _panels(panels, 4)


def draw_organelles() -> plt.Figure:
    """The middle of a field of each of eight organelles."""
    panels = []
    for organelle, number in SHOWN:
        pixels = field_of(organelle, number)
        panels.append((organelle, "", coloured(pixels)[_busiest(pixels)]))
    return _panels(panels, 4)


def _busiest(pixels: np.ndarray, side: int = 200) -> tuple[slice, slice]:
    """The square that nuclei and protein fill best."""
    both = pixels[1:3].astype(np.float32).sum(axis=0)
    sums = cv2.boxFilter(both, -1, (side, side), anchor=(0, 0))[: SIZE - side, : SIZE - side]
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    return slice(y, y + side), slice(x, x + side)


def draw_families() -> plt.Figure:
    """One cell as each family sees it."""
    pixels = field_of("Endosomes", 1, "U-2 OS")
    found = segment(pixels)
    cells = make_cells(pixels[None], found.cells[None], found.nuclei[None], open_device("cpu"))
    view = View(cells, index=found.cells[345, 319] - 1)
    return _panels([(title.strip(), said, draw(view)) for title, (said, draw) in MAPS.items()], 4)


def _panels(panels: list[tuple[str, str, np.ndarray]], columns: int) -> plt.Figure:
    """Pictures in rows, 800 px wide, each with a title and, dimmer, what it says below it."""
    rows = -(-len(panels) // columns)
    side = 8 / columns
    caption = 0.26 + 0.17 * any(said for _, said, _ in panels)
    figure = plt.figure(figsize=(8, rows * (side + caption)), dpi=100, facecolor=GROUND)
    high = rows * (side + caption)
    for k, (title, said, image) in enumerate(panels):
        left, top = k % columns * side, k // columns * (side + caption)
        axis = figure.add_axes(
            (left / 8 + 0.004, 1 - (top + side) / high + 0.003, side / 8 - 0.008, side / high - 0.006)
        )
        axis.imshow(image, interpolation="antialiased")
        axis.set_axis_off()
        below = 1 - (top + side + 0.02) / high
        figure.text(left / 8 + 0.008, below, title, color="white", fontsize=9.5, va="top", weight="bold")
        figure.text(left / 8 + 0.008, below - 0.185 / high, said, color="#b8b8c0", fontsize=8.5, va="top")
    return figure


def write(figure: plt.Figure, path: Path) -> int:
    """Write a figure as a PNG of as many colours, up to 256, as `LARGEST` allows; gives back its size in bytes."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor=GROUND)
    plt.close(figure)
    image = Image.open(drawn).convert("RGB")
    for colours in (256, 160, 96, 64):
        small = io.BytesIO()
        image.quantize(colours, kmeans=1, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
        if small.tell() <= LARGEST:
            break
    with whole(path) as temporary:
        temporary.write_bytes(small.getvalue())
    return small.tell()


PICTURES = {
    "outlines": draw_outlines, "channels": draw_channels, "organelles": draw_organelles, "families": draw_families,
}  # fmt: skip


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    parser.add_argument("--only", choices=list(PICTURES))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        if given.only in (None, name):
            size = write(draw(), given.out / f"{name}.png")
            print(f"{given.out / name}.png: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
