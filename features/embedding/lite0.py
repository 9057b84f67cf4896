"""EfficientNet-lite0 up to block 10, layer by layer. `onnx_file` runs it on a CPU, `torch_maps` on a GPU.

A block widens its channels (1 x 1), filters each by itself (3 x 3 or 5 x 5), and narrows them (1 x 1); blocks that keep
size and channels add their input (Sandler et al. 2018, "MobileNetV2"; Tan and Le 2019, "EfficientNet"). "Lite" means
ReLU6 and no squeeze-and-excitation. Batch normalisation is folded into the convolutions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

MEAN = 127 / 255
"""What is subtracted from images, whose values are 0 to 1; zeros around them then stand for this level."""

_SD = 128 / 255  # the network was trained on (x - MEAN) / SD

_STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1))
"""Blocks, kernel size and stride of the first block of each stage, up to block 10."""

_EPSILON = 1e-3  # of the batch normalisation

MAPS: tuple[tuple[int, int, int], ...] = ((2, 24, 4), (4, 40, 8), (7, 80, 16), (10, 112, 16))
"""The maps: the block whose output it is, channels, and stride (image pixels of a map pixel). Later blocks respond to
ImageNet's objects rather than to textures, and were worse."""

REACH, REACH_OF_FIRST = 176, 12
"""Pixels on each side that a pixel of any map, and of the first, depends on at most (169, 9), in whole map pixels."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with its bias, padded with zeros.

    Attributes
    ----------
    weight : ndarray of float32, shape (n_out, n_in or 1, size, size)
    bias : ndarray of float32, shape (n_out,)
    stride : int
    pads : (int, int)
        Zeros before and after rows and columns, as TensorFlow pads even sizes: with stride 2 one less before.
    by_channel : bool
        Each channel is filtered by itself.
    clipped : bool
        Whether ReLU6, clip(x, 0, 6), follows.
    """

    weight: np.ndarray
    bias: np.ndarray
    stride: int
    pads: tuple[int, int]
    by_channel: bool
    clipped: bool


@dataclass(frozen=True)
class Block:
    """Convolutions, one after the other.

    Attributes
    ----------
    convolutions : tuple of Convolution
    adds_input : bool
        Whether the block's input is added to its output.
    kept : bool
        Whether its output is one of the maps.
    """

    convolutions: tuple[Convolution, ...]
    adds_input: bool
    kept: bool


def make_blocks(weights: Mapping[str, np.ndarray]) -> tuple[Block, ...]:
    """The first convolution as a block, then blocks 0 to 10, from the tensors of `read_weights`.

    The network takes three planes, of which the first two are always alike here: it is given two, minus MEAN. The first
    convolution adds the weights of the alike ones, and divides by SD.
    """
    first = _folded(weights, "_conv_stem", "_bn0", 2, clipped=True)
    alike, alike_too, other = np.moveaxis(first.weight / np.float32(_SD), 1, 0)
    first = replace(first, weight=np.stack([alike + alike_too, other], axis=1))
    blocks = [Block((first,), adds_input=False, kept=False)]
    for n_blocks, _, first_stride in _STAGES:
        for repeat in range(n_blocks):
            number = len(blocks) - 1
            blocks.append(_block(weights, number, first_stride if repeat == 0 else 1, adds_input=repeat > 0))
    return tuple(blocks)


def _block(weights: Mapping[str, np.ndarray], number: int, stride: int, adds_input: bool) -> Block:
    at = f"_blocks.{number}."
    convolutions = [
        _folded(weights, f"{at}_depthwise_conv", f"{at}_bn1", stride, clipped=True),
        _folded(weights, f"{at}_project_conv", f"{at}_bn2", 1, clipped=False),
    ]
    if number > 0:
        convolutions.insert(0, _folded(weights, f"{at}_expand_conv", f"{at}_bn0", 1, clipped=True))
    return Block(tuple(convolutions), adds_input, number in [map_of for map_of, _, _ in MAPS])


def _folded(weights: Mapping[str, np.ndarray], name: str, norm: str, stride: int, *, clipped: bool) -> Convolution:
    """A convolution and the batch normalisation behind it as one."""
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + np.float32(_EPSILON))
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    weight = weights[f"{name}.weight"] * scale[:, None, None, None]
    zeros = weight.shape[-1] - stride  # in all, for an even size
    return Convolution(weight, bias, stride, (zeros // 2, zeros - zeros // 2), weight.shape[1] == 1, clipped)
