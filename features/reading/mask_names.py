"""Words at the end of file names that tell masks, and of what they are."""

import re

from features.reading.layouts.names import stem

EXAMPLES = "<Id>_cells and <Id>_nuclei, <Id>_cp_masks, <Id>_MaskCells"
OF_CELLS = {"cell", "cells", "cellmask", "cellmasks", "maskcells", "cyto"}
OF_NUCLEI = {"nucleus", "nuclei", "nuc", "nucleimask", "nucleusmask", "masknuclei"}
OF_CYTOPLASM = {"cytoplasm", "cytoplasmmask"}
_PLAIN = {
    "mask", "masks", "cp", "cellpose", "stardist", "label", "labels", "seg", "segmentation", "segmented", "objects",
}  # fmt: skip
WORDS = OF_CELLS | OF_NUCLEI | OF_CYTOPLASM | _PLAIN
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_named_mask(name: str) -> bool:
    """Whether a file's name ends in a word that only masks have: `_mask`, `_masks`, `_cp_masks`, `_MaskCells`."""
    words = [word for _, word in words_of(stem(name))]
    return len(words) > 1 and (words[-1] in ("mask", "masks") or (words[-2:-1] == ["mask"] and words[-1] in WORDS))


def words_of(text: str) -> list[tuple[int, str]]:
    """The words of a name in lower case, with where each starts: MaskCells_01 is mask, cells, 01."""
    return [(match.start(), match[0].lower()) for match in _WORD.finditer(text)]
