"""A user's network, described after a trial: one of whole fields if it can be, else one of crops of cells.

A network is one of whole fields if it takes images of any size and all its outputs are maps that grow with the image.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError, UsageError
from engine.ids import shown
from features.embedding.backbone import LONGEST, open_crops, open_outputs, unusable
from features.embedding.cell_crops import LARGEST, CropSettings
from features.embedding.network_digest import digest_network
from features.extraction.settings import NetworkFile
from store.channels import CHANNELS

_TRIED = ((128, 192), (192, 256))  # height and width of the fields of the trial
_MOST_CHANNELS = 16  # looked for where the network does not take those that are named
_LARGEST_NUMBER = 1e6  # for --backbone-mean and --backbone-sd


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
        raise unusable(given, "gives values that are not finite", None)
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
    run = open_outputs(file, "cpu")
    found = []
    for shape in _TRIED:
        try:
            outputs = run(np.zeros((1, len(file.channels), *shape), np.float32))
        except Exception:  # the user's network may raise anything: it takes other sizes only
            return ()
        if not all(one.ndim == 4 and 1 < one.shape[2] < one.shape[3] for one in outputs):
            return ()
        found.append(tuple(one.shape[1] for one in outputs))
    return found[0] if found[0] == found[1] and 1 <= sum(found[0]) <= LONGEST else ()


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
    run = open_outputs(file, "cpu")
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


def read_numbers(option: str, text: str, n: int) -> tuple[float, ...]:
    """One number for each of n channels; one alone is that of all. Raises UsageError."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, n) or not all(abs(number) <= _LARGEST_NUMBER for number in numbers):
        raise UsageError(f"{option}: found {shown(text)!r}; expected one number, or {n} with commas between.")
    return numbers if len(numbers) == n else numbers * n
