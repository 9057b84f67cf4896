"""A phrase for each feature, with gaps that `report.feature_descriptions` fills.

Gaps: {stain} the stain, {first} and {second} where there are two, {where} "in the nucleus", {body} "the nucleus", {p0},
{p1}, ... the parameters in the words of `parameters`. A new family adds its phrases here.
"""

from types import MappingProxyType

from report.phrases import appearance, places

FAMILIES = MappingProxyType({
    "AreaShape": "size and shape", "BinaryPattern": "local binary patterns", "Correlation": "colocalisation",
    "Count": "cells in the field", "Embedding": "embedding", "Gradient": "threads, dots and scales",
    "Granularity": "granularity", "Intensity": "brightness", "Neighbors": "neighbours and contacts",
    "Proximity": "distance to landmarks", "Quality": "image quality", "RadialDistribution": "radial distribution",
    "Size": "sizes in pixels", "Spectrum": "spectrum of the field", "Spots": "spots and objects",
    "Texture": "texture", "ThresholdAdjacency": "specks, threads and areas",
    "Zernike": "Zernike moments",
})  # fmt: skip

STAINS = MappingProxyType({
    "Microtubules": "the microtubules", "Protein": "the protein", "Nucleus": "the nuclear stain", "ER": "the ER",
})  # fmt: skip

BODIES = MappingProxyType({
    "Cells": "the cell", "Nuclei": "the nucleus", "Cytoplasm": "the cytoplasm", "Image": "the field",
})  # fmt: skip

POOLS = MappingProxyType({
    "mean": "average of the cells", "sd": "difference between cells", "top": "cells with the highest values",
    "mass": "average of the cells, weighted by their protein", "": "",
})  # fmt: skip

PHRASES: MappingProxyType[str, dict[str, str]] = MappingProxyType({
    "AreaShape": places.SHAPE,
    "BinaryPattern": appearance.BINARY_PATTERN,
    "Correlation": places.CORRELATION,
    "Count": places.COUNT,
    "Embedding": appearance.EMBEDDING,
    "Gradient": appearance.GRADIENT,
    "Granularity": appearance.GRANULARITY,
    "Intensity": appearance.INTENSITY,
    "Neighbors": places.NEIGHBORS,
    "Proximity": places.PROXIMITY,
    "Quality": places.QUALITY,
    "RadialDistribution": places.RADIAL,
    "Size": places.SIZE,
    "Spectrum": places.SPECTRUM,
    "Spots": places.SPOTS,
    "Texture": appearance.TEXTURE,
    "ThresholdAdjacency": appearance.ADJACENCY,
    "Zernike": appearance.ZERNIKE,
})  # fmt: skip
