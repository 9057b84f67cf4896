"""The pretrained network: EfficientNet-lite0 on whole fields, by onnxruntime on a CPU and by torch on a GPU."""

from importlib.util import find_spec

import numpy as np

from engine.errors import InputError
from features.core.device import Device
from features.embedding.field_maps import Maps
from features.embedding.lite0 import MAPS, MEAN, REACH, REACH_OF_FIRST, Block, make_blocks
from features.embedding.onnx_file import IMAGES, write_onnx
from features.embedding.tiles import InTiles
from features.embedding.weights import DIGEST, INSTALL, find_weights, read_weights
from features.extraction.settings import NetworkFile
from store.channels import PROTEIN

KIND = "pretrained"
NOT_INSTALLED = f"the pretrained network is not installed ({INSTALL})"


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
        return _open_on_cpu(blocks)
    if find_spec("torch") is None:
        raise InputError(
            f"device {device.name}: the embedding needs torch, which is not installed. Run pip install -r "
            "requirements-gpu.txt, or extract with --no-embedding."
        )
    from features.embedding.torch_maps import open_torch

    maps = tuple((channels, stride) for _, channels, stride in MAPS)
    return InTiles(open_torch(blocks, device), maps, REACH, least=256, most=(512 + 2 * REACH) ** 2, xp=device.xp)


def _open_on_cpu(blocks: tuple[Block, ...]) -> Maps:
    """The network in two parts, either in tiles of its own: up to its first map, and from that map on.

    The first part is half of the work and sees 9 px around, so its tiles are small and overlap little; those of the
    whole network would overlap by twice 169 px.
    """
    n_first = 1 + next(b for b, block in enumerate(blocks) if block.kept)
    first = _open_onnx(write_onnx(blocks[:n_first], of_maps=False))
    others = _open_onnx(write_onnx(blocks[n_first:], of_maps=True))
    (_, channels, stride), *coarser = MAPS
    of_image = InTiles(
        lambda images: first(images - np.float32(MEAN)), ((channels, stride),), REACH_OF_FIRST,
        least=128, most=(256 + 2 * REACH_OF_FIRST) ** 2, xp=np,
    )  # fmt: skip
    reach, maps = REACH // stride, tuple((n, its_stride // stride) for _, n, its_stride in coarser)
    of_map = InTiles(
        lambda fine: others(np.ascontiguousarray(fine.transpose(0, 2, 3, 1))), maps, reach,
        least=64, most=(192 + 2 * reach) ** 2, xp=np,
    )  # fmt: skip

    def run(images: np.ndarray) -> list[np.ndarray]:
        [fine] = of_image(images)
        return [fine, *of_map(fine)]

    return run


def _open_onnx(model: bytes) -> Maps:
    """A part of the network; the channels of its maps lie side by side in memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # its arena keeps the memory of the largest tile
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda given: [np.asarray(one).transpose(0, 3, 1, 2) for one in session.run(None, {IMAGES: given})]
