"""The recipes of the 28 organelles of the 2018 competition, in the order of its label numbers."""

from collections.abc import Callable

import numpy as np

from simulate.cell import Cell
from simulate.organelles import cytoplasm, filaments, nucleus, vesicles
from simulate.plan import Style

Recipe = Callable[[Cell, Style, np.random.Generator], np.ndarray]

RECIPES: tuple[Recipe, ...] = (
    nucleus.nucleoplasm,
    nucleus.nuclear_membrane,
    nucleus.nucleoli,
    nucleus.fibrillar_centers,
    nucleus.nuclear_speckles,
    nucleus.nuclear_bodies,
    cytoplasm.endoplasmic_reticulum,
    cytoplasm.golgi_apparatus,
    vesicles.peroxisomes,
    vesicles.endosomes,
    vesicles.lysosomes,
    filaments.intermediate_filaments,
    filaments.actin_filaments,
    filaments.focal_adhesions,
    filaments.microtubules,
    filaments.microtubule_ends,
    filaments.cytokinetic_bridge,
    filaments.mitotic_spindle,
    cytoplasm.microtubule_organizing_centre,
    cytoplasm.centrosome,
    vesicles.lipid_droplets,
    cytoplasm.plasma_membrane,
    cytoplasm.cell_junctions,
    cytoplasm.mitochondria,
    vesicles.aggresome,
    cytoplasm.cytosol,
    vesicles.cytoplasmic_bodies,
    vesicles.rods_and_rings,
)
