"""One field whose cells come from masks."""

from pathlib import Path

import numpy as np

from features.reading.archive import Member
from features.reading.field_reading import FieldPixels
from features.reading.mask_files import with_masks
from features.reading.scene import NOTHING_STATED
from features.reading.source import FieldSource, ImageFile
from features.segmentation.masks import read_masks
from features.segmentation.segment import Segmentation
from store.channels import CHANNELS


def read_masked(
    folder: Path, shape: tuple[int, int], pixels: np.ndarray | None = None, stored: tuple[int, int] | None = None
) -> Segmentation:
    """The cells of field f1 by the masks in a folder."""
    files = tuple(ImageFile("f1", c.colour, Member(Path("images"), f"f1_{c.colour}.png")) for c in CHANNELS)
    source = FieldSource(Path("images"), {"f1": files}, {c: c.colour for c in CHANNELS})
    pixels = np.zeros((4, *shape), np.uint8) if pixels is None else pixels
    given = with_masks({"train": source}, folder)["train"]
    return read_masks(given, "f1", FieldPixels(pixels, NOTHING_STATED, stored or pixels.shape[1:]))
