"""One field whose cells come from masks."""

from pathlib import Path

import numpy as np

from features.reading.archive import Member
from features.reading.field_reading import FieldPixels
from features.reading.mask_files import with_masks
from features.reading.scene import NOTHING_STATED
from features.reading.source import ChannelTable, FieldSource, ImageFile
from features.segmentation.masks import read_masks
from features.segmentation.segment import Segmentation
from store.channels import CHANNELS


def read_masked(
    folder: Path, shape: tuple[int, int], pixels: np.ndarray | None = None, stored: tuple[int, int] | None = None,
    field_id: str = "f1",
) -> Segmentation:  # fmt: skip
    """The cells of a field, f1 or f2, by the masks in a folder."""
    files = {
        i: tuple(ImageFile(i, c.colour, Member(Path("images"), f"{i}_{c.colour}.png")) for c in CHANNELS)
        for i in ("f1", "f2")
    }
    source = FieldSource(Path("images"), files, dict.fromkeys(files, ChannelTable({c: c.colour for c in CHANNELS})))
    pixels = np.zeros((4, *shape), np.uint8) if pixels is None else pixels
    given = with_masks({"train": source}, folder)["train"]
    return read_masks(given, field_id, FieldPixels(pixels, NOTHING_STATED, stored or pixels.shape[1:]))
