"""DeltaVision .dv and .r3d by the package mrc."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mrc
import numpy as np

from features.reading.containers.planes import array_scene
from features.reading.scene import Facts, Scene


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The image of a file while it is open; its channels are named by their emission, nm."""
    with mrc.DVFile(path) as file:
        sizes, array = dict(file.sizes), file.asarray()
        axes = [axis for axis in sizes if sizes[axis] > 1 or axis in "YX"]
        waves = [getattr(file.hdr, f"wave{k + 1}", 0) for k in range(sizes.get("C", 1))]
        size = float(file.voxel_size.x)

        def load(at: Mapping[str, int]) -> np.ndarray:
            squeezed = array.reshape([sizes[axis] for axis in axes])
            return squeezed[tuple(slice(None) if axis in "YX" else at[axis] for axis in axes)]

        facts = Facts(size if size > 0 else None)
        yield (array_scene(sizes, load, [str(wave) if wave > 0 else "" for wave in waves], facts),)
