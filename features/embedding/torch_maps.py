"""EfficientNet-lite0 run by torch, on a GPU. Imported only there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from features.core.device import Device
from features.embedding.field_maps import Maps
from features.embedding.lite0 import MEAN, Block, Convolution
from features.embedding.torch_device import torch_device


def open_torch(blocks: Sequence[Block], device: Device) -> Maps:
    """The network on a device: from images there to maps there. Arrays are shared with torch, not copied."""
    place = torch_device(device.name)
    on_device = [[_Placed(convolution, place) for convolution in block.convolutions] for block in blocks]

    def run(images: np.ndarray) -> list[np.ndarray]:
        kept = []
        exactly = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), exactly, _stream_of(device, place):
            x = torch.as_tensor(images, device=place) - MEAN
            for block, convolutions in zip(blocks, on_device, strict=True):
                before = x
                for convolution in convolutions:
                    x = convolution(x)
                x = x + before if block.adds_input else x
                kept += [x.contiguous()] if block.kept else []
        return [device.xp.asarray(one) for one in kept]

    return run


class _Placed:
    """A convolution with its numbers on a device."""

    def __init__(self, convolution: Convolution, place: torch.device) -> None:
        self.convolution = convolution
        self.weight, self.bias = (torch.from_numpy(a).to(place) for a in (convolution.weight, convolution.bias))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        asked = self.convolution
        padded = functional.pad(x, asked.pads * 2)
        groups = len(self.weight) if asked.by_channel else 1
        y = functional.conv2d(padded, self.weight, self.bias, asked.stride, groups=groups)
        return y.clamp_(0, 6) if asked.clipped else y


def _stream_of(device: Device, place: torch.device) -> AbstractContextManager[Any]:
    """Torch works in the stream that the arrays are made in."""
    if place.type == "cpu":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.ExternalStream(device.xp.cuda.get_current_stream().ptr, place))
