"""The plan of a simulation: antibodies with their labels, style and cell lines, and their fields."""

from dataclasses import dataclass

import numpy as np

from simulate.cell_lines import CELL_LINES, SHARES, CellLine
from simulate.labels import LabelSet, draw_label_sets, floor_for

CELL_JUNCTIONS = 22
FIELDS_PER_ANTIBODY = (2, 6)
FIELDS_PER_CELL_LINE = 2


@dataclass(frozen=True)
class Style:
    """How one antibody stains: shared by all its fields, so that its fields resemble each other beyond their labels.

    Attributes
    ----------
    gain : float
        Grey levels (of 255) of a fully stained structure.
    weights : tuple of float
        Strength of each of its labels, in their order; the strongest is 1.
    size, count : float
        Factors on the size and the number of the stained structures.
    grain : float
        How unevenly structures are filled, 0 to 1.
    variation : float
        Standard deviation of the log expression from cell to cell.
    expressing : float
        Share of the cells that express it at all.
    haze_nucleus, haze_cytoplasm : float
        Unspecific staining there, as a share of the specific one.
    debris : float
        Mean number of stained specks in a 512 px field that belong to no cell.
    """

    gain: float
    weights: tuple[float, ...]
    size: float
    count: float
    grain: float
    variation: float
    expressing: float
    haze_nucleus: float
    haze_cytoplasm: float
    debris: float


@dataclass(frozen=True)
class FieldPlan:
    """One field to be drawn. Its random numbers depend on `index` and the seed only."""

    index: int
    id: str
    split: str
    group: str
    cell_line: CellLine
    labels: LabelSet
    style: Style


def field_id(index: int) -> str:
    """Id of a field, a pure function of its index: `sim-00017`."""
    return f"sim-{index:05d}"


def make_plan(fields: int, test_fields: int, seed: int) -> tuple[FieldPlan, ...]:
    """All fields of a simulation, training fields first, in the order of their ids.

    Test antibodies are others than training antibodies, with label sets drawn from those of the training antibodies.

    Parameters
    ----------
    fields, test_fields : int
    seed : int
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    train_sizes, test_sizes = _antibody_sizes(fields, rng), _antibody_sizes(test_fields, rng)
    train_sets = draw_label_sets(len(train_sizes), floor_for(fields), rng)
    test_sets = [train_sets[i] for i in _choose(len(train_sets), len(test_sizes), rng)]
    train = _fields_of("train", 0, train_sizes, train_sets, first_antibody=1, seed=seed)
    test = _fields_of("test", fields, test_sizes, test_sets, first_antibody=1 + len(train_sizes), seed=seed)
    return (*train, *test)


def _antibody_sizes(n_fields: int, rng: np.random.Generator) -> list[int]:
    """Numbers of fields, 2 to 6 each, that add up to n_fields (which may be 0 or 1)."""
    least, most = FIELDS_PER_ANTIBODY
    sizes = []
    left = n_fields
    while left > 0:
        size = min(left, int(rng.integers(least, most + 1)))
        if left - size == 1:
            size += 1 if size == least else -1
        sizes.append(size)
        left -= size
    return sizes


def _choose(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """k of n indices, none twice before all were chosen once."""
    rounds = [rng.permutation(n) for _ in range(-(-k // max(n, 1)))]
    return np.concatenate([*rounds, np.zeros(0, int)])[:k].astype(int)


def _fields_of(
    split: str, start: int, sizes: list[int], sets: list[LabelSet], first_antibody: int, seed: int
) -> list[FieldPlan]:
    """The fields of one split; which ids an antibody gets is random, so that ids say nothing about groups."""
    plans = []
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, first_antibody)))
    indices = iter(start + rng.permutation(sum(sizes)))
    for number, (size, labels) in enumerate(zip(sizes, sets, strict=True), first_antibody):
        own = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, number)))
        style = draw_style(len(labels), own)
        lines = draw_cell_lines(labels, size, own)
        for line in lines:
            i = int(next(indices))
            plans.append(FieldPlan(i, field_id(i), split, f"antibody-{number:04d}", line, labels, style))
    return sorted(plans, key=lambda plan: plan.index)


def draw_cell_lines(labels: LabelSet, n_fields: int, rng: np.random.Generator) -> list[CellLine]:
    """The cell line of each of an antibody's fields: two fields a line; cell junctions need lines that form them."""
    shares = np.array(
        [
            share * (line.epithelial or CELL_JUNCTIONS not in labels)
            for line, share in zip(CELL_LINES, SHARES, strict=True)
        ]
    )
    n_lines = min(-(-n_fields // FIELDS_PER_CELL_LINE), int((shares > 0).sum()))
    chosen = rng.choice(len(CELL_LINES), n_lines, replace=False, p=shares / shares.sum())
    return [CELL_LINES[chosen[k // FIELDS_PER_CELL_LINE % n_lines]] for k in range(n_fields)]


def draw_style(n_labels: int, rng: np.random.Generator) -> Style:
    """One antibody's way of staining, for `n_labels` organelles."""
    weights = rng.uniform(0.35, 1.0, n_labels)
    weights[rng.integers(n_labels)] = 1.0
    return Style(
        gain=float(np.clip(rng.lognormal(np.log(105), 0.65), 15, 380)),
        weights=tuple(float(w) for w in weights),
        size=float(rng.lognormal(0, 0.13)),
        count=float(rng.lognormal(0, 0.30)),
        grain=float(rng.uniform(0.1, 0.6)),
        variation=float(rng.uniform(0.15, 0.6)),
        expressing=float(rng.choice([1.0, 1.0, rng.uniform(0.5, 1.0)])),
        haze_nucleus=float(rng.beta(1, 9) * 0.6),
        haze_cytoplasm=float(0.01 + rng.beta(1, 7) * 0.6),
        debris=float(rng.gamma(0.6, 5)),
    )
