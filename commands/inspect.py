"""`inspect`: says what a folder of images holds, and the command that reads it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from commands.unused import reasons_in_words
from engine.command_line import command_line
from engine.counted import counted
from engine.errors import FieldError
from engine.files import whole
from engine.ids import shown
from engine.outcome import Outcome
from features.reading.field_reading import read_stored
from features.reading.inspection import Inspection
from features.reading.layouts.table import layout_named
from features.reading.source import FieldSource
from features.reading.stains import channels_in_words
from store.channels import CHANNELS

_SIDE, _ROWS, _LINE = 180, 8, 16  # px of a thumbnail, fields on the sheet, px of a line of text
_FORMATS = 6


def outcome(folder: Path, found: Inspection, sheet: Path | None) -> Outcome:
    """What was found, in lines; the next command reads the folder."""
    lines = [*_lines(folder, found), *([f"thumbnails in {sheet}"] if sheet else [])]
    readable = found.source is not None and not found.problem
    command = ""
    if readable and found.options is not None:
        command = command_line("extract", data=folder, **found.options.typed())
    return Outcome(tuple(lines), command, _facts(folder, found, command))


def _lines(folder: Path, found: Inspection) -> Iterator[str]:
    kinds = [f"{n:,} {suffix}" for suffix, n in found.formats.items()]
    more = ["others"] if len(kinds) > _FORMATS else []
    yield f"{folder}: {found.n_files:,} files ({', '.join([*kinds[:_FORMATS], *more]) or 'none'})"
    if found.layout:
        yield f"layout: {_layout_in_words(found.layout)}, such as {shown(PurePosixPath(found.example).name)}"
    if found.channels:
        yield channels_in_words(found.channels, found.names or {})
    stack = [f"{n} {what}" for n, what in ((found.n_z, "planes (z)"), (found.n_t, "time points")) if n > 1]
    if stack:
        yield f"stacks of {' and '.join(stack)}"
    if found.source is not None:
        yield from _of_source(found.source)
    if found.planes:
        yield _pixels_in_words(found)
    if found.problem:
        yield f"cannot be read as it is: {found.problem}."
    elif found.options is not None and not found.options.is_hpa:
        yield "Check --stains: which channel is which stain is guessed from names and order."


def _layout_in_words(name: str) -> str:
    if name == "hpa":
        return "Kaggle's and HPA's, <Id>_red, _green, _blue, _yellow"
    if name == "files":
        return "one file a field"
    if name == "csv":
        return "the files that a csv for CellProfiler's LoadData lists"
    layout = layout_named(name)
    return f"{name} ({layout.writer})" if layout else name


def _of_source(source: FieldSource) -> Iterator[str]:
    plates = {place.plate for place in source.places.values() if place.plate}
    wells = {(place.plate, place.well) for place in source.places.values() if place.well}
    of = [counted(len(some), word) for some, word in ((plates, "plate"), (wells, "well")) if some]
    on = f" in {', '.join(of)}" if of else ""
    yield f"{counted(len(source.ids), 'field')}{on}, such as {', '.join(source.ids[:3])}"
    if source.unused:
        yield f"{counted(len(source.unused), 'file')} not used: {reasons_in_words(source.unused)}"


def _pixels_in_words(found: Inspection) -> str:
    """Size, bits and pixel size of the first fields, each value that is found."""
    brightest = max(int(one.pixels.max()) for one in found.planes)
    shapes, bits, sizes = [], [], []
    for plane in found.planes:
        height, width = plane.pixels.shape
        level = plane.facts.level or (255 if plane.pixels.itemsize == 1 else None)
        up_to = (
            f"up to {level:,}" if level else f"highest value not stated, brightest of the first fields {brightest:,}"
        )
        shapes.append(f"{width} x {height} px")
        bits.append(f"{8 * plane.pixels.itemsize} bits ({up_to})")
        sizes.append(f"{plane.facts.pixel_size:.4g} µm a pixel" if plane.facts.pixel_size else "pixel size not stated")
    return ", ".join(" and ".join(dict.fromkeys(said)) for said in (shapes, bits, sizes))


def _facts(folder: Path, found: Inspection, command: str) -> dict[str, object]:
    plane = found.planes[0] if found.planes else None
    return {
        "folder": str(folder), "files": found.n_files, "formats": found.formats, "layout": found.layout or None,
        "channels": {token: (found.names or {}).get(token, "") for token in found.channels}, "z": found.n_z,
        "t": found.n_t, "fields": len(found.source.ids) if found.source else 0,
        "not_used": len(found.source.unused) if found.source else 0,
        "bits": 8 * plane.pixels.itemsize if plane else None,
        "max_level": plane.facts.level if plane else None, "pixel_size": plane.facts.pixel_size if plane else None,
        "stains": found.options.chosen_stains.text() if found.options else None, "problem": found.problem or None,
        "command": command or None,
    }  # fmt: skip


def write_thumbnails(path: Path, source: FieldSource) -> None:
    """A sheet of the first fields, a row each, with a column for each stain, brightened for the eye."""
    rows = []
    for field_id in source.ids:
        try:
            stored = read_stored(source, field_id)
        except FieldError:
            continue
        title = np.zeros((_LINE, _SIDE * len(stored)), np.uint8)
        _write(title, shown(field_id))
        pictures = [_thumbnail(stored[channel].pixels, channel.name) for channel in CHANNELS if channel in stored]
        rows.append(np.vstack([title, np.hstack(pictures)]))
        if len(rows) == _ROWS:
            break
    sheet = np.vstack(rows) if rows else np.zeros((_LINE, _SIDE), np.uint8)
    with whole(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _thumbnail(plane: np.ndarray, name: str) -> np.ndarray:
    times = _SIDE / max(plane.shape)
    size = (max(round(plane.shape[1] * times), 1), max(round(plane.shape[0] * times), 1))
    small = cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, (1, 99.7))
    picture = np.zeros((_SIDE, _SIDE), np.uint8)
    picture[: size[1], : size[0]] = (255 * np.clip((small - low) / max(high - low, 1), 0, 1)).astype(np.uint8)
    _write(picture, name)
    return picture


def _write(image: np.ndarray, text: str) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(image, plain, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,), 1, cv2.LINE_AA)
