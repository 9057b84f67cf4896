"""Pictures of fields and cells, made from the images when the page asks for them; the latest are kept in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.counted import counted, first_named
from engine.errors import FieldError, HpaError
from engine.ids import shown
from features.extraction.batches import read_cells
from features.extraction.field_level import field_hashes
from features.reading.field_reading import read_field_pixels
from features.reading.source import FieldSource
from report.drawing import brightened, draw_scale_bar, edges, in_colour
from report.galleries import (
    PictureSettings,
    find_pictured,
    measured_hashes,
    picture_settings,
    same_images,
    shown_pixel_size,
)
from store.channels import PROTEIN
from store.run_folder import RunFolder

THUMBNAIL, LARGEST = 256, 2048  # px: a thumbnail's side, and that of a plane
VIEWS = ("colour", "protein")
_KEPT = 96 * 2**20  # bytes of pixels in memory
_QUALITY = 84
_LETTERS = 0.4  # size of the scale bar's


class Kept:
    """Arrays of the latest fields, up to a number of bytes. Safe to use from several threads."""

    def __init__(self, bytes_kept: int) -> None:
        self._left, self._held = bytes_kept, OrderedDict[Any, Any]()
        self._guard = threading.Lock()

    def get(self, key: Any, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a key, made if it is not held."""
        with self._guard:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        array = make()
        with self._guard:
            if key not in self._held:
                self._held[key] = array
                self._left -= array.nbytes
            while self._left < 0 and len(self._held) > 1:
                self._left += self._held.popitem(last=False)[1].nbytes
        return array


class Pictures:
    """The images of a data folder, or those that a csv lists which the user names.

    Nothing else is read: a field is looked up by its id among the files that were listed, and a file that is a link to
    somewhere else is refused. So are other images than those that were measured: cells and calls are not theirs.
    """

    def __init__(self, folder: RunFolder, data: Path, masks: Path | None, images: Path | None = None) -> None:
        self.data = data
        self._folder, self._masks, self._images = folder, masks, images
        self._kept = Kept(_KEPT)
        self._pixel_size: dict[str, float | None] = {}
        self._hashes: dict[str, dict[str, np.ndarray]] = {}
        self._replaced: dict[str, None] = {}
        self._guard = threading.Lock()
        self._listed: tuple[dict[str, FieldSource], PictureSettings, str] | None = None

    def _list(self) -> tuple[dict[str, FieldSource], PictureSettings, str]:
        with self._guard:
            if self._listed is None:
                settings = picture_settings(self._folder, self._masks)
                try:
                    sources = find_pictured(self._folder, self.data, self._masks, self._images)
                    measured = [split for split in sources if self._folder.matrix(split).is_file()]
                    self._hashes = {split: measured_hashes(self._folder, split) for split in measured}
                    self._listed = (sources, settings, "")
                except HpaError as error:
                    self._listed = ({}, settings, str(error))
            return self._listed

    @property
    def missing(self) -> str:
        """Why there are no pictures at all, or ""."""
        return self._list()[2]

    @property
    def replaced(self) -> str:
        """Which fields asked for so far have other images than those that were measured, in a sentence, or ""."""
        fields = list(self._replaced)
        named = first_named([shown(field) for field in fields])
        return self._refused(counted(len(fields), "field"), f" ({named})") if fields else ""

    def _refused(self, fields: str, where: str) -> str:
        return (
            f"the images of {fields}{where} are not those that were measured, so cells, calls and reasons are not "
            f"theirs. Put the measured images back, or run {self._folder.command('extract', self.data)} and fit again."
        )

    @property
    def outlined(self) -> bool:
        """Whether cells can be outlined as they were measured."""
        return self._list()[1].outlined

    def _source(self, field: str) -> tuple[FieldSource, np.ndarray | None]:
        """Where the images of a field are, and its hashes when it was measured."""
        sources = self._list()[0]
        for split, source in sources.items():
            if field in source.files:
                self._refuse_links(source, field)
                return source, self._hashes.get(split, {}).get(field)
        raise FieldError(f"{self.data} holds no images of field {shown(field)}. Name their folder with --data.", field)

    def _refuse_links(self, source: FieldSource, field: str) -> None:
        for file in source.files[field]:
            member = file.member
            root, path = member.source.resolve(), member.source / member.name
            if member.source.is_dir() and not path.resolve().is_relative_to(root):
                raise FieldError(f"{shown(str(path), 300)} is a link out of {root}, and is not opened.", field)

    def _refuse_others(self, field: str, pixels: np.ndarray, hashes: np.ndarray | None) -> None:
        if hashes is None or same_images(field_hashes(pixels), hashes):
            self._replaced.pop(field, None)
            return
        self._replaced[field] = None
        raise FieldError(self._refused(f"field {shown(field)}", f" in {self.data}"), field)

    def pixels(self, field: str) -> np.ndarray:
        """The channels of a field, uint8 or uint16, shape (4, H, W); raises FieldError."""
        source, hashes = self._source(field)

        def read() -> np.ndarray:
            found = read_field_pixels(source, field)
            self._refuse_others(field, found.pixels, hashes)
            self._pixel_size[field] = shown_pixel_size(found)
            return found.pixels

        return self._kept.get(("pixels", field), read)

    def scale(self, field: str) -> tuple[tuple[int, int], float | None]:
        """Height and width of a field, px, and the size of its pixels, µm, or None if it is not known."""
        height, width = self.pixels(field).shape[1:]
        return (height, width), self._pixel_size[field]

    def cells(self, field: str) -> np.ndarray:
        """The cells of a field as they were measured, int32, shape (H, W); all 0 if that is not possible."""
        source, hashes = self._source(field)
        if not self.outlined:
            return np.zeros(self.pixels(field).shape[1:], np.int32)

        def read() -> np.ndarray:
            found, outlined = read_cells(source, field)
            self._refuse_others(field, found.pixels, hashes)
            return outlined.cells

        return self._kept.get(("cells", field), read)

    def field(self, field: str, view: str, outlined: bool, side: int = THUMBNAIL) -> bytes:
        """A whole field as JPEG, at most `side` px wide or high."""
        pixels = self.pixels(field)
        scale = min(side / max(pixels.shape[1:]), 1.0)
        shape = (max(round(pixels.shape[2] * scale), 1), max(round(pixels.shape[1] * scale), 1))
        labels = self.cells(field) if outlined else None
        return _jpeg(pixels, labels, view, shape, self._pixel_size[field])

    def cell(self, field: str, number: int, x: float, y: float, width: int, view: str, outlined: bool) -> bytes:
        """One cell in the middle of a square of `width` px of its field, as JPEG; only its own outline is drawn."""
        pixels = self.pixels(field)
        labels = (self.cells(field) == number).astype(np.int32) if outlined else None
        height, wide = pixels.shape[1:]
        width = int(np.clip(width, 8, max(height, wide)))
        top = int(np.clip(y - width / 2, 0, max(height - width, 0)))
        left = int(np.clip(x - width / 2, 0, max(wide - width, 0)))
        part = (slice(top, top + width), slice(left, left + width))
        image = self._kept.get(("coloured", field, view), lambda: _coloured(pixels, view))[part]
        shown = None if labels is None else labels[part]
        return _outlined_jpeg(image, shown, (THUMBNAIL // 2, THUMBNAIL // 2), self._pixel_size[field])

    def plane(self, field: str, channel: int) -> bytes:
        """One channel as 8-bit PNG, the brightest pixel 255, at most `LARGEST` px wide or high."""
        plane = self.pixels(field)[channel]
        scale = LARGEST / max(plane.shape)
        if scale < 1:
            plane = cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if plane.dtype != np.uint8:
            plane = (plane * (255.0 / max(int(plane.max()), 1))).round().astype(np.uint8)
        return cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()

    def numbers(self, field: str) -> bytes:
        """The cells' numbers as PNG, red + 256 green, at most `LARGEST` px wide or high."""
        labels = self.cells(field)
        scale = LARGEST / max(labels.shape)
        if scale < 1:
            labels = cv2.resize(labels, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        labels = np.asarray(labels, np.int32)
        coded = np.dstack([np.zeros_like(labels), labels >> 8, labels & 255]).astype(np.uint8)
        return cv2.imencode(".png", coded, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _coloured(pixels: np.ndarray, view: str) -> np.ndarray:
    """Blue, green, red as uint8, shape (H, W, 3)."""
    if view == "protein":
        return np.repeat(brightened(pixels[PROTEIN.index])[..., None], 3, axis=2).astype(np.uint8)
    return in_colour(pixels)


def _jpeg(
    pixels: np.ndarray, labels: np.ndarray | None, view: str, shape: tuple[int, int], pixel_size: float | None
) -> bytes:
    full_width = pixels.shape[2]
    if shape[0] < full_width:
        pixels = np.stack([cv2.resize(plane, shape, interpolation=cv2.INTER_AREA) for plane in pixels])
    return _outlined_jpeg(_coloured(pixels, view), labels, shape, pixel_size, full_width)


def _outlined_jpeg(
    image: np.ndarray, labels: np.ndarray | None, shape: tuple[int, int], pixel_size: float | None,
    full_width: int | None = None,
) -> bytes:  # fmt: skip
    width = image.shape[1] if full_width is None else full_width
    same = (image.shape[1], image.shape[0]) == shape
    image = image.copy() if same else cv2.resize(image, shape, interpolation=cv2.INTER_CUBIC)
    if labels is not None:
        image[edges(cv2.resize(labels, shape, interpolation=cv2.INTER_NEAREST))] = 255
    draw_scale_bar(image, image.shape[1] / width, pixel_size, _LETTERS)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
