"""Are broken fields named as unlike the training fields, and how many sound ones are?

    python -m benchmarks.unlike_fields DATA --draws 10

Every field of DATA is measured, and twelve of them broken in each of the ways below. Then a share of the groups is
drawn as training fields, and the rule of `predict` is asked about all other groups' fields and their broken twins.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.source import FieldSource
from models.data.training_set import find_groups
from models.trust.neighbours import fit_space
from models.trust.out_of_distribution import OUT_OF_DISTRIBUTION, fit_ranges, share_below
from pipeline import Job, extract
from store.channels import CHANNELS, PROTEIN
from store.matrix import FieldMatrix, read_fields
from store.run_folder import RunFolder

BROKEN, MARK = 12, "_of_"


def noise(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every value as often as any other."""
    return rng.integers(0, np.iinfo(pixels.dtype).max, pixels.shape, pixels.dtype, endpoint=True)


def counts(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a camera sees of nothing: about three counts a pixel."""
    return rng.poisson(3.0, pixels.shape).astype(pixels.dtype)


def inverted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright where it was dark."""
    return np.iinfo(pixels.dtype).max - pixels


def overexposed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """16 times as bright, cut off at the top."""
    full = np.iinfo(pixels.dtype).max
    return np.minimum(pixels.astype(np.int64) * 16, full).astype(pixels.dtype)


ALL = slice(None)
WAYS = {
    "noise in all channels": (ALL, noise),
    "all channels inverted": (ALL, inverted),
    "noise for protein": (PROTEIN.index, noise),
    "camera noise for protein": (PROTEIN.index, counts),
    "protein inverted": (PROTEIN.index, inverted),
    "protein overexposed": (PROTEIN.index, overexposed),
}


def write_fields(source: FieldSource, folder: Path, rng: np.random.Generator) -> None:
    """The fields of a source, and some of them broken in each way."""
    for member in [file.member for files in source.files.values() for file in files]:
        (folder / member.name).symlink_to((member.source / member.name).absolute())
    for field in source.ids[:: -(-len(source.ids) // BROKEN)]:
        for way, (where, spoil) in WAYS.items():
            pixels = read_field(source, field)
            pixels[where] = spoil(pixels[where], rng)
            for channel in CHANNELS:
                name = f"{way.replace(' ', '-')}{MARK}{field}_{channel.colour}.png"
                cv2.imwrite(str(folder / name), pixels[channel.index])


def measured(data: Path) -> FieldMatrix:
    """The matrix of the fields of DATA/train and their broken twins."""
    with tempfile.TemporaryDirectory() as made:
        images, run = Path(made) / "train", Path(made) / "run"
        images.mkdir()
        write_fields(find_fields(data / "train"), images, np.random.default_rng(0))
        extract(Job(run, Path(made), "cpu", quiet=True))
        return read_fields(RunFolder(run), "train")


def asked(matrix: FieldMatrix, groups: np.ndarray, trained: np.ndarray, new: np.ndarray) -> pd.DataFrame:
    """Which of the new fields are far, and outside, as `predict` says it after these training fields."""
    values, of_trained = matrix.values[trained], groups[trained]
    space = fit_space(values, matrix.columns)
    ranges = fit_ranges(values, space.chosen, of_trained)
    distances = space.distances(matrix.values[new]).min(1)
    outside = ranges.outside(matrix.values[new])
    return pd.DataFrame({
        "far": share_below(distances, space.to_other_groups(of_trained)) > OUT_OF_DISTRIBUTION,
        "outside": share_below(outside, ranges.training_shares) > OUT_OF_DISTRIBUTION, "share": outside,
    })  # fmt: skip


def main() -> None:
    """Print a line for sound fields and for each way of breaking them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--trained", type=float, default=0.5, help="Share of the groups to train on.")
    given = parser.parse_args()
    matrix, rng, told = measured(given.data), np.random.default_rng(1), []
    way, field = np.array([name.split(MARK) if MARK in name else ["sound", name] for name in matrix.ids]).T
    groups = find_groups(given.data, None, tuple(field))[0].numbers
    for _ in range(given.draws):
        drawn = rng.permutation(groups.max() + 1)[: round(given.trained * (groups.max() + 1))]
        trained = np.flatnonzero(np.isin(groups, drawn) & (way == "sound"))
        new = np.flatnonzero(~np.isin(groups, drawn))
        told.append(asked(matrix, groups, trained, new).assign(way=way[new], trained=len(trained)))
    table = pd.concat(told, ignore_index=True)
    table["named"] = table["far"] | table["outside"]
    by_way = table.groupby("way")
    shares = by_way.agg(
        far=("far", "mean"), outside=("outside", "mean"), named=("named", "mean"), asked=("named", "size"),
        least=("share", "min"), median=("share", "median"), most=("share", "max"),
    )  # fmt: skip
    print(f"trained on {table['trained'].mean():.0f} fields, {given.draws} draws")
    print(shares.round(3).to_string())


if __name__ == "__main__":
    main()
