"""Compiling the kernels before the first field: Numba does it once per installation and keeps the result on disk."""

import gc
from pathlib import Path

import numpy as np

import features
from features.core.cells import Cells, make_cells
from features.core.device import open_device
from features.embedding.embedding import pool_fields
from features.extraction.field_level import measure_field
from features.kernels import cpu
from features.segmentation.segment import segment

_SEGMENTATION, _EMBEDDING = "segmentation", "embedding"
_LONGEST = ("proximity", "spots", "gradient", "neighbours", "texture")


def kernels_compiled() -> bool:
    """Whether every module of CPU kernels has a compiled form in the cache beside it."""
    folder = Path(cpu.__file__).parent
    modules = [path.stem for path in folder.glob("[a-z]*.py")]
    return all(any(folder.glob(f"__pycache__/{module}.*.nbi")) for module in modules)


def parts() -> tuple[str, ...]:
    """The parts that are compiled one by one, as `compile_part` takes them.

    The longest come first, so that workers end together. Segmentation and proximity share no kernel, and proximity has
    the distances that other families need too: two workers that need the same kernel at once both compile it.
    """
    names = sorted(features.families(), key=lambda name: _LONGEST.index(name) if name in _LONGEST else len(_LONGEST))
    return (_SEGMENTATION, *names, _EMBEDDING)


def compile_part(name: str) -> str:
    """Compile a part by running it on a small field; returns its name.

    Compiling makes millions of small objects: looking for unreachable ones among them would take a seventh of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        if name == _SEGMENTATION:
            _segment()
        elif name == _EMBEDDING:
            _pool_maps()
        else:
            features.families()[name].measure(_two_cells())
    finally:
        if was_on:
            gc.enable()
    return name


def _pool_maps() -> None:
    """Pool a map as a network gives it."""
    cells = _two_cells()
    image = np.zeros((1, 1, *cells.cell_labels.shape[1:]), np.float32)
    pool_fields(cells, cells.cell_labels.astype(np.uint16), image, lambda images: [images])


def _two_cells() -> Cells:
    """A small field of two cells."""
    device = open_device("cpu")
    y, x = np.mgrid[:64, :64]
    nuclei = np.where((y - 32) ** 2 + (x - 16) ** 2 < 60, 1, 0) + np.where((y - 32) ** 2 + (x - 48) ** 2 < 60, 2, 0)
    cells = np.where(x < 32, 1, 2)
    pixels = ((37 * y + 91 * x) % 251).astype(np.uint8)[None].repeat(4, axis=0)
    return make_cells(pixels[None], cells[None], nuclei[None], device)


def _segment() -> None:
    """Segment fields with two nuclei, a small one and a large one, and measure one as a whole."""
    y, x = np.mgrid[:128, :128]
    nuclei = ((y - 64) ** 2 + (x - 32) ** 2 < 300) | ((y - 64) ** 2 + (x - 96) ** 2 < 300)
    pixels = (nuclei * 200 + (x + y) % 9).astype(np.uint8)[None].repeat(4, axis=0)
    segment(pixels)
    segment(pixels.repeat(6, axis=1).repeat(6, axis=2))
    measure_field(pixels)
