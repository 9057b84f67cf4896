"""Nikon .nd2 by the package nd2; each position is an image."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nd2
import numpy as np

from features.reading.containers.planes import array_scene
from features.reading.scene import Facts, Scene


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The images of a file while it is open."""
    with nd2.ND2File(path) as file:
        sizes, bits = dict(file.sizes), file.attributes.bitsPerComponentSignificant
        n_positions = sizes.pop("P", 1)
        channels = getattr(file.metadata, "channels", None) or ()
        size = file.voxel_size().x
        facts = Facts(size if size > 0 else None, 2**bits - 1 if bits else None)
        colours = sizes.pop("S", 1)
        names = [one.channel.name for one in channels] if colours == 1 else []
        if colours > 1:
            sizes["C"] = sizes.get("C", 1) * colours
        frames = {tuple(sorted(at.items())): k for k, at in enumerate(file.loop_indices or ({},))}

        def scene(position: int) -> Scene:
            def load(at: Mapping[str, int]) -> np.ndarray:
                wanted = {axis: at[axis] for axis in "ZT" if axis in file.sizes}
                wanted |= {"P": position} if "P" in file.sizes else {}
                frame = file.read_frame(frames[tuple(sorted(wanted.items()))])
                if frame.ndim == 2:
                    return frame
                several = np.moveaxis(frame, -1, 0) if colours > 1 else frame
                return several.reshape(-1, *several.shape[-2:])[at["C"]]

            return array_scene(sizes, load, names, facts, f"P{position + 1}" if n_positions > 1 else "")

        yield tuple(map(scene, range(n_positions)))
