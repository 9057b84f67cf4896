"""The simulated cell lines, which differ in size, shape, crowding and clumping."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CellLine:
    """How the cells of one line look. Lengths in px of a 512 px Kaggle field (2048 px originals: four times that).

    Attributes
    ----------
    name : str
        As the Human Protein Atlas writes it.
    nucleus : float
        Mean radius of a nucleus, px.
    nucleus_aspect : float
        Long over short axis of a nucleus, mean.
    spread : float
        Radius of a free cell over that of its nucleus, mean.
    elongation : float
        Long over short axis of a cell, mean.
    count : float
        Median number of cells in a 512 px field.
    clumping : float
        Share of cells that sit beside another one rather than anywhere.
    protrusions : float
        Mean number of thin processes of a cell.
    lobes : float
        How far nuclei depart from ellipses (0: not at all).
    epithelial : bool
        Whether touching cells form junctions.
    """

    name: str
    nucleus: float
    nucleus_aspect: float
    spread: float
    elongation: float
    count: float
    clumping: float
    protrusions: float
    lobes: float
    epithelial: bool


CELL_LINES = (
    CellLine("U-2 OS", 28, 1.30, 2.2, 1.4, 14, 0.25, 0.5, 0.05, False),
    CellLine("A-431", 26, 1.20, 1.9, 1.2, 20, 0.70, 0.1, 0.06, True),
    CellLine("U-251 MG", 26, 1.35, 2.1, 2.0, 15, 0.20, 1.2, 0.06, False),
    CellLine("HEK 293", 18, 1.20, 1.6, 1.4, 50, 0.85, 0.4, 0.05, False),
    CellLine("RH-30", 23, 1.30, 1.8, 2.2, 20, 0.45, 1.0, 0.04, False),
    CellLine("Hep G2", 19, 1.10, 1.6, 1.1, 40, 0.92, 0.0, 0.03, True),
    CellLine("MCF7", 23, 1.20, 1.7, 1.2, 30, 0.80, 0.1, 0.04, True),
    CellLine("PC-3", 24, 1.25, 1.9, 1.6, 16, 0.30, 0.6, 0.10, False),
)

SHARES = (0.34, 0.20, 0.19, 0.06, 0.06, 0.05, 0.06, 0.04)
"""How often each line is used, as in the public Human Protein Atlas (v18), the first three by far the most."""
