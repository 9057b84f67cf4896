"""A user's network in ONNX or TorchScript: from whole fields to maps if it can, else from crops of cells to vectors.

A network is one of whole fields if it takes images of any size and all its outputs are maps that grow with the image.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import InputError, UsageError
from engine.ids import shown
from features.core.device import Device
from features.embedding.cell_crops import LARGEST, CropSettings
from features.embedding.field_maps import Maps
from features.embedding.network_digest import digest_network
from features.extraction.settings import NetworkFile
from store.channels import CHANNELS

Vectors = Callable[[np.ndarray], np.ndarray]
Outputs = Callable[[np.ndarray], list[np.ndarray]]
"""From normalised images, float32 (n, channels, H, W), to all that the network gives of them."""

_TRIED = ((128, 192), (192, 256))  # height and width of the fields of the trial
_MOST_CHANNELS = 16  # looked for where the network does not take those that are named
_LONGEST = 8192  # numbers a cell
_LONGEST_ERROR = 160  # characters of the network's own message
_LARGEST_NUMBER = 1e6  # for --backbone-mean and --backbone-sd
_AT_ONCE = 32  # crops in a batch of a user's network, filled up: the size may change the last bits


def backbone(path: Path, channels: str, side: int, mean: str, sd: str) -> NetworkFile:
    """Describe a user's network, after a trial on black fields and two drawn cells.

    Parameters
    ----------
    path : Path
        .onnx, or TorchScript (.pt, .pth, .ts), which can run arbitrary code.
    channels : str
        What it expects, in order, e.g. "red,green,blue,yellow".
    side : int
        Width and height it expects in px.
    mean, sd : str
        Numbers, one a channel or one for all: it is given (x - mean) / sd, x from 0 to 1.

    Raises
    ------
    InputError
        If the file cannot be used.
    UsageError
        If an option does not fit.
    """
    kind = {".onnx": "onnx", ".pt": "torchscript", ".pth": "torchscript", ".ts": "torchscript"}.get(path.suffix.lower())
    if not path.is_file():
        raise InputError(f"{path} does not exist. Name a network in ONNX (.onnx) or TorchScript (.pt).")
    if kind is None:
        raise InputError(
            f"{path} ends in {path.suffix or 'nothing'}; expected .onnx or, for TorchScript, .pt. Export the network."
        )
    colours = tuple(channels.split(","))
    known = [channel.colour for channel in CHANNELS]
    if unknown := [colour for colour in colours if colour not in known]:
        raise UsageError(f"--backbone-channels: {shown(unknown[0])!r} is unknown; expected some of {','.join(known)}.")
    crop = CropSettings(side=side, exponent=1.0)
    given = NetworkFile(
        str(path), digest_network(path, kind), kind, 0, crop, colours,
        read_numbers("--backbone-mean", mean, len(colours)), read_numbers("--backbone-sd", sd, len(colours)),
    )  # fmt: skip
    if not all(abs(number) >= 1 / _LARGEST_NUMBER for number in given.sd):
        raise UsageError(f"--backbone-sd: found {sd!r}; expected numbers from 1e-6, because they are divided by.")
    if maps := _tried_on_fields(given):
        return replace(given, length=2 * sum(maps), crop=None, maps=maps)
    tried = _tried_on_cells(given, crop)
    if not np.isfinite(tried).all():
        raise _unusable(given, "gives values that are not finite", None)
    return replace(given, length=tried.shape[1])


def recorded_network(path: Path, record: Mapping[str, Any]) -> NetworkFile | None:
    """A network as it was described before (a `NetworkFile` as JSON), from a file; None if its content is another."""
    if digest_network(path, record["kind"]) != record["digest"]:
        return None
    lists = {name: tuple(record[name]) for name in ("channels", "mean", "sd", "maps")}
    crop = None if record["crop"] is None else CropSettings(**record["crop"])
    return NetworkFile(**{**record, **lists, "path": str(path), "crop": crop})


def _tried_on_fields(file: NetworkFile) -> tuple[int, ...]:
    """The channels of each of its maps of two black fields; empty if it is not a network of whole fields."""
    run = _OPEN[file.kind](file, "cpu")
    found = []
    for shape in _TRIED:
        try:
            outputs = run(np.zeros((1, len(file.channels), *shape), np.float32))
        except Exception:  # the user's network may raise anything: it takes other sizes only
            return ()
        if not all(one.ndim == 4 and 1 < one.shape[2] < one.shape[3] for one in outputs):
            return ()
        found.append(tuple(one.shape[1] for one in outputs))
    return found[0] if found[0] == found[1] and 1 <= sum(found[0]) <= _LONGEST else ()


def _tried_on_cells(file: NetworkFile, crop: CropSettings) -> np.ndarray:
    """The vectors of two drawn cells; InputError, which names the channels if it is their number that is wrong."""
    try:
        return open_crops(file, "cpu")(_painted_cells(crop))
    except InputError as error:
        found = len(file.channels)
        if (taken := _channels_taken(file, crop.side)) in (None, found):
            raise
        raise InputError(
            f"{file.path} does not take float32 (n, {found}, {crop.side}, {crop.side}), but {taken} channels; "
            f"--backbone-channels names {found} ({','.join(file.channels)}). Name {taken}, in the network's order."
        ) from error


def _channels_taken(file: NetworkFile, side: int) -> int | None:
    """The channels of black images that the network runs on: those named if it does; None if no number is found."""
    run = _OPEN[file.kind](file, "cpu")
    for n in (len(file.channels), *range(1, _MOST_CHANNELS + 1)):
        try:
            run(np.zeros((1, n, side, side), np.float32))
        except Exception:  # the user's network may raise anything
            continue
        return n
    return None


def _painted_cells(crop: CropSettings) -> np.ndarray:
    """Two round cells, brighter towards one side, uint8, shape (2, 4, side, side)."""
    side = crop.side
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    plane = LARGEST * x * (np.hypot(y - 0.5, x - 0.5) < 0.4)
    return np.broadcast_to(plane.astype(np.uint8), (2, len(CHANNELS), side, side))


@lru_cache(maxsize=2)
def open_crops(file: NetworkFile, device: str) -> Vectors:
    """Open a network of crops: the function from crops, uint8 (n, 4, side, side), to vectors, float32 (n, length).

    Values that are not finite become NaN.

    Raises
    ------
    InputError
        If the file cannot be opened; also by the function, if the network cannot be used.
    """
    run = _OPEN[file.kind](file, device)

    def vectors(crops: np.ndarray) -> np.ndarray:
        side = file.crop.side if file.crop else 0
        try:
            found = _in_batches(file, run, crops)
        except Exception as error:  # the user's network may raise anything
            raise _unusable(file, f"does not take float32 (n, {len(file.channels)}, {side}, {side})", error) from error
        if found.dtype.kind != "f" or not 1 <= found.shape[1] <= _LONGEST:
            raise _unusable(file, f"gives {found.dtype} {found.shape[1:]} a cell, not 1 to {_LONGEST} numbers", None)
        return np.where(np.isfinite(found), found, np.nan).astype(np.float32)

    return vectors


def open_user_maps(file: NetworkFile, device: Device) -> Maps:
    """Open a network of whole fields; raises InputError as `open_crops` does."""
    run = _OPEN[file.kind](file, device.name)

    def maps(images: np.ndarray) -> list[np.ndarray]:
        try:
            outputs = run(device.get(images))
        except Exception as error:  # the user's network may raise anything
            raise _unusable(file, f"does not take float32 {images.shape}", error) from error
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
        raise _unusable(file, "cannot be opened as ONNX", error) from error
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
        raise _unusable(file, "needs torch, which is not installed (pip install torch)", None)
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
        raise _unusable(file, "cannot be opened as TorchScript", error) from error

    def run(images: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            found = module(torch.from_numpy(images).to(place))
        outputs = found if isinstance(found, list | tuple) else [found]
        return [one.float().cpu().numpy() for one in outputs]

    return run


_OPEN: MappingProxyType[str, Callable[[NetworkFile, str], Outputs]] = MappingProxyType(
    {"onnx": _open_onnx, "torchscript": _open_torchscript}
)


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


def _unusable(file: NetworkFile, reason: str, error: Exception | None) -> InputError:
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


def read_numbers(option: str, text: str, n: int) -> tuple[float, ...]:
    """One number for each of n channels; one alone is that of all. Raises UsageError."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, n) or not all(abs(number) <= _LARGEST_NUMBER for number in numbers):
        raise UsageError(f"{option}: found {shown(text)!r}; expected one number, or {n} with commas between.")
    return numbers if len(numbers) == n else numbers * n
