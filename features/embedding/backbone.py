"""A user's network in ONNX or TorchScript, opened: from whole fields to maps, or from crops of cells to vectors."""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from engine.errors import InputError
from features.core.device import Device
from features.embedding.cell_crops import LARGEST
from features.embedding.field_maps import Maps
from features.extraction.settings import NetworkFile
from store.channels import CHANNELS

Vectors = Callable[[np.ndarray], np.ndarray]
Outputs = Callable[[np.ndarray], list[np.ndarray]]
"""From normalised images, float32 (n, channels, H, W), to all that the network gives of them."""

LONGEST = 8192
"""Numbers a cell that a network may give."""

_LONGEST_ERROR = 160  # characters of the network's own message
_AT_ONCE = 32  # crops in a batch of a user's network, filled up: the size may change the last bits


@lru_cache(maxsize=2)
def open_crops(file: NetworkFile, device: str) -> Vectors:
    """Open a network of crops: the function from crops, uint8 (n, 4, side, side), to vectors, float32 (n, length).

    Values that are not finite become NaN.

    Raises
    ------
    InputError
        If the file cannot be opened; also by the function, if the network cannot be used.
    """
    run = open_outputs(file, device)

    def vectors(crops: np.ndarray) -> np.ndarray:
        side = file.crop.side if file.crop else 0
        try:
            found = _in_batches(file, run, crops)
        except Exception as error:  # the user's network may raise anything
            raise unusable(file, f"does not take float32 (n, {len(file.channels)}, {side}, {side})", error) from error
        if found.dtype.kind != "f" or not 1 <= found.shape[1] <= LONGEST:
            raise unusable(file, f"gives {found.dtype} {found.shape[1:]} a cell, not 1 to {LONGEST} numbers", None)
        return np.where(np.isfinite(found), found, np.nan).astype(np.float32)

    return vectors


def open_user_maps(file: NetworkFile, device: Device) -> Maps:
    """Open a network of whole fields; raises InputError as `open_crops` does."""
    run = open_outputs(file, device.name)

    def maps(images: np.ndarray) -> list[np.ndarray]:
        try:
            outputs = run(device.get(images))
        except Exception as error:  # the user's network may raise anything
            raise unusable(file, f"does not take float32 {images.shape}", error) from error
        return [device.put(np.ascontiguousarray(one, np.float32)) for one in outputs]

    return maps


def _open_onnx(file: NetworkFile, device: str) -> Outputs:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, and need not be logged too
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(file.path, options, [name for name in wanted if name in there])
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise unusable(file, "cannot be opened as ONNX", error) from error
    first = session.get_inputs()[0]
    asked = first.shape[0] if first.shape and isinstance(first.shape[0], int) else 0

    def run(images: np.ndarray) -> list[np.ndarray]:
        size = asked or len(images)
        batches = [_filled(images[i : i + size], size) for i in range(0, len(images), size)]
        outputs = [session.run(None, {first.name: batch}) for batch in batches]
        return [np.concatenate(parts)[: len(images)] for parts in zip(*map(_arrays, outputs), strict=True)]

    return run


def _open_torchscript(file: NetworkFile, device: str) -> Outputs:
    if find_spec("torch") is None:
        raise unusable(file, "needs torch, which is not installed (pip install torch)", None)
    import torch

    from features.embedding.torch_device import use

    place = use(device, threads=1)
    try:
        with (
            warnings.catch_warnings()
        ):  # torch would have TorchScript give way to torch.export, which few networks have
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(file.path, map_location=place).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise unusable(file, "cannot be opened as TorchScript", error) from error

    def run(images: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            found = module(torch.from_numpy(images).to(place))
        outputs = found if isinstance(found, list | tuple) else [found]
        return [one.float().cpu().numpy() for one in outputs]

    return run


def open_outputs(file: NetworkFile, device: str) -> Outputs:
    """Open a network: the function from images to all that it gives; InputError if the file cannot be opened."""
    return {"onnx": _open_onnx, "torchscript": _open_torchscript}[file.kind](file, device)


def _arrays(outputs: Sequence[Any]) -> list[np.ndarray]:
    return [np.asarray(one) for one in outputs]


def _filled(batch: np.ndarray, size: int) -> np.ndarray:
    """A batch with black images behind it, up to this size."""
    missing = size - len(batch)
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch


def _in_batches(file: NetworkFile, run: Outputs, crops: np.ndarray) -> np.ndarray:
    """The first output for crops as the network expects them, in batches of one size, the last filled up."""
    planes = [channel.index for colour in file.channels for channel in CHANNELS if channel.colour == colour]
    mean, sd = (np.array(values, np.float32)[:, None, None] for values in (file.mean, file.sd))
    parts = [np.empty((0, file.length), np.float32)] if len(crops) == 0 else []
    for i in range(0, len(crops), _AT_ONCE):
        levels = crops[i : i + _AT_ONCE, planes].astype(np.float32) / LARGEST
        normalised = ((_filled(levels, _AT_ONCE) - mean) / sd).astype(np.float32)
        parts.append(run(normalised)[0].reshape(_AT_ONCE, -1)[: len(levels)])
    return np.concatenate(parts)


def unusable(file: NetworkFile, reason: str, error: Exception | None) -> InputError:
    """The error for a network that cannot be used: the reason, what the network's own error says, and what to check."""
    said = f" ({_core(str(error))})" if error is not None and str(error).strip() else ""
    return InputError(
        f"{file.path} {reason}{said}. Check the file, --backbone-channels ({','.join(file.channels)}) and "
        f"--backbone-size{f' ({file.crop.side})' if file.crop else ''}."
    )


def _core(message: str) -> str:
    """What an error says in one line: all of ONNX Runtime's but its frame, the last line of torch's traceback."""
    if not message.startswith("[ONNXRuntimeError]"):
        return message.strip().splitlines()[-1][:_LONGEST_ERROR]
    said = " ".join(message.split(" : ", 3)[-1].split())
    return said.removesuffix(" Please fix either the inputs/outputs or the model.")[:_LONGEST_ERROR]
