"""The pretrained network: EfficientNet-lite0 on whole fields, by onnxruntime on a CPU and by torch on a GPU.

A large field is shown in tiles with as much around each as a map pixel can depend on, so that the maps are those of the
whole field, and the memory is that of a tile.
"""

from importlib.util import find_spec

import numpy as np

from engine.errors import InputError
from features.core.device import Device
from features.embedding.field_maps import Maps
from features.embedding.lite0 import MAPS, REACH, Block, make_blocks
from features.embedding.onnx_file import IMAGES, write_onnx
from features.embedding.weights import DIGEST, INSTALL, find_weights, read_weights
from features.extraction.settings import NetworkFile
from store.channels import PROTEIN

KIND = "pretrained"
NOT_INSTALLED = f"the pretrained network is not installed ({INSTALL})"
_STRIDE = max(stride for _, _, stride in MAPS)
_LEAST_SIDE = 256  # px of a tile without what is around it
_MOST_PIXELS = (512 + 2 * REACH) ** 2  # of a tile with what is around it


def pretrained_network() -> NetworkFile | None:
    """Describe the pretrained network; None if its package is not installed."""
    if find_weights() is None:
        return None
    channels = tuple(n for _, n, _ in MAPS)
    return NetworkFile(
        "", DIGEST[:16], KIND, length=2 * sum(channels), crop=None, channels=(PROTEIN.colour,), mean=(0.0,),
        sd=(1.0,), maps=channels,
    )  # fmt: skip


def open_pretrained(device: Device) -> Maps:
    """The network on a device: from images to maps; raises InputError if it is not installed as it should be."""
    path = find_weights()
    if path is None:
        raise InputError(f"{NOT_INSTALLED} on this machine.")
    return open_blocks(make_blocks(read_weights(path)), device)


def open_blocks(blocks: tuple[Block, ...], device: Device) -> Maps:
    """A network of these blocks on a device: from images to maps."""
    if device.kind == "cpu":
        maps = _open_onnx(write_onnx(blocks))
    elif find_spec("torch") is None:
        raise InputError(
            f"device {device.name}: the embedding needs torch, which is not installed. Run pip install -r "
            "requirements-gpu.txt, or extract with --no-embedding."
        )
    else:
        from features.embedding.torch_maps import open_torch

        maps = open_torch(blocks, device)
    return lambda images: in_tiles(maps, images, device)


def _open_onnx(model: bytes) -> Maps:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # its arena keeps the memory of the largest tile
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda images: [np.asarray(one) for one in session.run(None, {IMAGES: images})]


def in_tiles(maps: Maps, images: np.ndarray, device: Device, most: int = _MOST_PIXELS) -> list[np.ndarray]:
    """The maps of images of any size; sides are multiples of the coarsest stride.

    Images of at most `most` pixels are shown at once.
    """
    n, _, height, width = images.shape
    bands = _bands(height, width, most)
    if len(bands[0]) == len(bands[1]) == 1:
        return maps(images)
    whole = [device.xp.empty((n, c, height // stride, width // stride), np.float32) for _, c, stride in MAPS]
    for top, bottom in bands[0]:
        for left, right in bands[1]:
            y, x = max(top - REACH, 0), max(left - REACH, 0)
            shown = images[:, :, y : bottom + REACH, x : right + REACH]
            for out, part, (_, _, stride) in zip(whole, maps(device.xp.ascontiguousarray(shown)), MAPS, strict=True):
                inner = out[:, :, top // stride : bottom // stride, left // stride : right // stride]
                down, across = (top - y) // stride, (left - x) // stride
                inner[...] = part[:, :, down : down + inner.shape[2], across : across + inner.shape[3]]
    return whole


def _bands(height: int, width: int, most: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Rows and columns where tiles begin and end: those that show the fewest pixels in all, at most `most` each."""
    ways = [(rows, columns) for rows in _divisions(height) for columns in _divisions(width)]
    sizes = [(_shown(rows, height), _shown(columns, width)) for rows, columns in ways]
    totals = [sum(down) * sum(across) if max(down) * max(across) <= most else np.inf for down, across in sizes]
    return ways[int(np.argmin(totals))] if np.isfinite(min(totals)) else ways[-1]


def _divisions(side: int) -> list[list[tuple[int, int]]]:
    """A side in one part, in two, ..., each about equally long and in whole strides."""
    found = []
    for n in range(1, max(side // _LEAST_SIDE, 1) + 1):
        step = -(-side // (n * _STRIDE)) * _STRIDE
        found.append([(start, min(start + step, side)) for start in range(0, side, step)])
    return found


def _shown(parts: list[tuple[int, int]], side: int) -> list[int]:
    """How long the parts are with what is around them."""
    return [min(end + REACH, side) - max(start - REACH, 0) for start, end in parts]
