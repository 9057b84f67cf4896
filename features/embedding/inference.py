"""Networks at inference: ours, or a user's in ONNX or TorchScript; from crops of cells to vectors."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError, UsageError
from engine.ids import shown
from features.embedding.cell_crops import LARGEST, CropSettings
from features.extraction.settings import ExtractSettings, NetworkFile
from store.channels import CHANNELS, ER
from store.columns import Column

Vectors = Callable[[np.ndarray], np.ndarray]
_LONGEST = 8192  # numbers a cell
_LARGEST_NUMBER = 1e6  # for --backbone-mean and --backbone-sd
_AT_ONCE = 32  # crops in a batch of a user's network, unless its input has a fixed size


def own_network(path: Path) -> NetworkFile:
    """Describe a network that `embed` wrote; raises InputError if it is none."""
    from features.embedding.network import load_network

    settings = load_network(path).settings
    colours = tuple(channel.colour for channel in CHANNELS)
    n = len(colours)
    return NetworkFile(
        str(path), digest_file(path), "embedding", settings.length, settings.crop, colours, (0.0,) * n, (1.0,) * n
    )


def backbone(path: Path, channels: str, side: int, mean: str, sd: str) -> NetworkFile:
    """Describe a user's network, after a trial on two drawn cells.

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
        str(path), digest_file(path), kind, 0, crop, colours,
        read_numbers("--backbone-mean", mean, len(colours)), read_numbers("--backbone-sd", sd, len(colours)),
    )  # fmt: skip
    if not all(abs(number) >= 1 / _LARGEST_NUMBER for number in given.sd):
        raise UsageError(f"--backbone-sd: found {sd!r}; expected numbers from 1e-6, because they are divided by.")
    tried = open_network(given, "cpu")(_painted_cells(side))
    if not np.isfinite(tried).all():
        raise _unusable(given, "gives values that are not finite", None)
    return replace(given, length=tried.shape[1])


def recorded_network(path: Path, record: Mapping[str, Any]) -> NetworkFile | None:
    """A network as it was described before (a `NetworkFile` as JSON), from a file; None if its content is another."""
    if digest_file(path) != record["digest"]:
        return None
    lists = {name: tuple(record[name]) for name in ("channels", "mean", "sd")}
    return NetworkFile(**{**record, **lists, "path": str(path), "crop": CropSettings(**record["crop"])})


def _painted_cells(side: int) -> np.ndarray:
    """Two round cells, brighter towards one side, uint8, shape (2, 4, side, side)."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    plane = LARGEST * x * (np.hypot(y - 0.5, x - 0.5) < 0.4)
    return np.broadcast_to(plane.astype(np.uint8), (2, len(CHANNELS), side, side))


def embedding_columns(settings: ExtractSettings) -> tuple[Column, ...]:
    """The columns that a network adds; without a network none."""
    network = settings.network
    if network is None:
        return ()
    stains = tuple(
        channel for channel in CHANNELS if channel.colour in network.channels and not (settings.no_er and channel == ER)
    )
    return tuple(Column("Cells", "Embedding", "Pattern", stains, (str(k + 1),)) for k in range(network.length))


@lru_cache(maxsize=2)
def open_network(file: NetworkFile, device: str) -> Vectors:
    """Open a network: the function that turns crops, uint8 (n, 4, side, side), into vectors, float32 (n, length)."""
    opened = {"embedding": _open_own, "onnx": _open_onnx, "torchscript": _open_torchscript}[file.kind]
    vectors = opened(file, device)
    return vectors if file.kind == "embedding" else _checked(vectors, file)


def _open_own(file: NetworkFile, device: str) -> Vectors:
    from features.embedding.network import embed, load_network
    from features.embedding.torch_device import use

    place = use(device, threads=1)
    network = load_network(Path(file.path)).to(place)
    return lambda crops: embed(network, crops, place)


def _open_onnx(file: NetworkFile, device: str) -> Vectors:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(file.path, options, [name for name in wanted if name in there])
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise _unusable(file, "cannot be opened as ONNX", error) from error
    first = session.get_inputs()[0]
    asked = first.shape[0] if first.shape and isinstance(first.shape[0], int) else 0

    def run(batch: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {first.name: batch})[0])

    return lambda crops: _in_batches(file, run, crops, asked)


def _open_torchscript(file: NetworkFile, device: str) -> Vectors:
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

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(batch).to(place)).float().cpu().numpy()

    return lambda crops: _in_batches(file, run, crops, 0)


def _in_batches(file: NetworkFile, run: Vectors, crops: np.ndarray, asked: int) -> np.ndarray:
    """Give crops to a network as it expects them, in batches of one size, the last filled up with black."""
    planes = [channel.index for colour in file.channels for channel in CHANNELS if channel.colour == colour]
    mean, sd = (np.array(values, np.float32)[:, None, None] for values in (file.mean, file.sd))
    size, n = asked or _AT_ONCE, len(crops)
    parts = []
    for i in range(0, n, size):
        levels = crops[i : i + size, planes].astype(np.float32) / LARGEST
        batch = np.zeros((size, *levels.shape[1:]), np.float32)
        batch[: len(levels)] = levels
        parts.append(np.asarray(run(((batch - mean) / sd).astype(np.float32))).reshape(size, -1)[: len(levels)])
    return np.concatenate([np.empty((0, file.length), np.float32), *parts] if n == 0 else parts)


def _checked(vectors: Vectors, file: NetworkFile) -> Vectors:
    """The same with checks: values that are not finite become NaN, and a useless network gives an error sentence."""

    def run(crops: np.ndarray) -> np.ndarray:
        shape = f"(n, {len(file.channels)}, {file.crop.side}, {file.crop.side})"
        try:
            found = vectors(crops)
        except Exception as error:  # the user's network may raise anything
            raise _unusable(file, f"does not take float32 {shape}", error) from error
        if found.dtype.kind != "f" or not 1 <= found.shape[1] <= _LONGEST:
            raise _unusable(file, f"gives {found.dtype} {found.shape[1:]} a cell, not 1 to {_LONGEST} numbers", None)
        return np.where(np.isfinite(found), found, np.nan).astype(np.float32)

    return run


def _unusable(file: NetworkFile, reason: str, error: Exception | None) -> InputError:
    said = f" ({str(error).strip().splitlines()[-1][:200]})" if error is not None and str(error).strip() else ""
    return InputError(
        f"{file.path} {reason}{said}. Check the file, --backbone-channels ({','.join(file.channels)}) and "
        f"--backbone-size ({file.crop.side})."
    )


def read_numbers(option: str, text: str, n: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, n) or not all(abs(number) <= _LARGEST_NUMBER for number in numbers):
        raise UsageError(f"{option}: found {shown(text)!r}; expected one number, or {n} with commas between.")
    return numbers if len(numbers) == n else numbers * n


def digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
