"""Which file is the mask of a field's cells or nuclei: names as segmentation tools write them.

A mask is named after its field, or after one of the field's images, and words such as these follow: `_cells`, `_nuclei`
(ours), `_cp_masks` (Cellpose), `_cellmask`, `_nucleimask` (HPA-Cell-Segmentation), `_MaskCells`, `_MaskNuclei`
(CellProfiler), `_stardist`, `_labels`. Without a word for the kind, a folder's name says it (`nuclei/f1.tif`), else the
image: masks of the nucleus channel are nuclei, all others cells.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from engine.counted import counted
from engine.errors import InputError
from features.reading.archive import Unused, list_files, located
from features.reading.file_names import IMAGES, hpa_name, is_hidden
from features.reading.layouts.names import parser_of, stem
from features.reading.mask_names import EXAMPLES, OF_CELLS, OF_CYTOPLASM, OF_NUCLEI, WORDS, words_of
from features.reading.source import CELLS, NUCLEI, FieldSource, Mask
from store.channels import NUCLEUS

_PICKLED = "_seg.npy"
_BETWEEN = " _-."


def with_masks(sources: dict[str, FieldSource], folder: Path) -> dict[str, FieldSource]:
    """The same sources, with the masks of their fields in a folder or zip, at any depth.

    Files that are no mask of a field are added to the first source's unused files. An image that turns out to be a mask
    of another field is no field of its own.

    Parameters
    ----------
    sources : dict of str to FieldSource
    folder : Path

    Raises
    ------
    InputError
        If the folder is missing or unreadable, or holds no mask of any field.
    """
    if not folder.exists():
        raise InputError(f"{folder} is missing (expected a folder or zip of masks). Check --masks, or run without it.")
    listing = list_files(folder)
    names = _Names(list(sources.values()))
    images = {located(file.member) for source in sources.values() for of in source.files.values() for file in of}
    beside_images = any(located(member) in images for member in listing.members)
    masks: dict[str, list[Mask]] = {}
    unused = list(listing.unused)
    for member in listing.members:
        found = names.read(member.name, folder.name, needs_word=beside_images)
        if found is None:
            if not beside_images:
                unused.append(Unused(located(member), "is no mask of a field, by its name"))
        elif isinstance(found, str):
            unused.append(Unused(located(member), found))
        else:
            field_id, kind = found
            masks.setdefault(field_id, []).append(Mask(kind, member))
    if not masks:
        n_fields = sum(len(source.files) for source in sources.values())
        raise InputError(
            f"{folder} holds no mask of the {counted(n_fields, 'field')} (looked for names such as {EXAMPLES}"
            f"{_example(unused)}). Name the masks after their fields, or run without --masks."
        )
    named = {located(mask.member) for of_field in masks.values() for mask in of_field}
    given = {split: _given(source, masks, named) for split, source in sources.items()}
    first = next(iter(given))
    reasons = {file.path: file for file in (*given[first].unused, *unused)}
    return given | {first: replace(given[first], unused=tuple(reasons[path] for path in sorted(reasons)))}


def _example(unused: Sequence[Unused]) -> str:
    return f"; found {counted(len(unused), 'other file')}, e.g. {unused[0].path}" if unused else ""


def _given(source: FieldSource, masks: dict[str, list[Mask]], named: set[str]) -> FieldSource:
    """A source with the masks of its fields, and without images that are masks."""
    files = {i: of for i, of in source.files.items() if not all(located(file.member) in named for file in of)}
    unused = tuple(file for file in source.unused if file.path not in named)
    return replace(source, files=files, unused=unused, masks={i: tuple(masks[i]) for i in files if i in masks})


def masks_in_words(sources: Iterable[FieldSource]) -> str:
    """E.g. "masks of cells and nuclei of 58 fields, of cells alone of 1 field"."""
    numbers = {"cells and nuclei": 0, "cells alone": 0, "nuclei alone": 0}
    without = 0
    for source in sources:
        for field_id in source.files:
            kinds = {mask.kind for mask in (source.masks or {}).get(field_id, ())}
            if not kinds:
                without += 1
            else:
                numbers["cells and nuclei" if len(kinds) == 2 else f"{kinds.pop()} alone"] += 1
    parts = [f"of {what} of {counted(n, 'field')}" for what, n in numbers.items() if n]
    if without:
        parts.append(f"none of {counted(without, 'field')}, which cannot be measured")
    return f"masks {', '.join(parts)}"


@dataclass(frozen=True)
class _Image:
    field_id: str
    of_nucleus: bool


def _nucleus_of(source: FieldSource, field_id: str) -> str:
    """The channel of the nucleus in a field's file names; "" where it is not known."""
    table = source.channels.get(field_id)
    return table.stains.get(NUCLEUS, "") if table else ""


class _Names:
    """The names that masks of some fields can have."""

    def __init__(self, sources: list[FieldSource]) -> None:
        self._ids = {field_id for source in sources for field_id in source.files}
        self._images: dict[str, set[_Image]] = {}
        options = {source.options: None for source in sources}
        self._parsers = [
            hpa_name if one.is_hpa else parser_of(one.kind, one.pattern) for one in options if not one.images
        ]
        for source in sources:
            for field_id, files in source.files.items():
                nucleus = _nucleus_of(source, field_id)
                for file in files:
                    image = _Image(field_id, file.channel == nucleus and bool(nucleus))
                    self._images.setdefault(stem(file.member.name), set()).add(image)
        self._nuclei = {i: _nucleus_of(source, i) for source in sources for i in source.channels}

    def read(self, name: str, root: str, needs_word: bool) -> tuple[str, str] | str | None:
        """The field and kind of a mask by its path; the reason why it cannot be used; None if it is no mask of ours."""
        if is_hidden(name):
            return None
        pickled = name.endswith(_PICKLED)
        if not pickled and PurePosixPath(name).suffix.lower() not in IMAGES:
            return None
        text = PurePosixPath(name).name.removesuffix(_PICKLED) if pickled else stem(name)
        for base, words in _bases(text):
            if needs_word and not words and not pickled:
                continue
            for image in self._fields_of(base, PurePosixPath(name)):
                if pickled:
                    return "holds Python objects, which are not opened: save the masks as PNG or TIFF (--save_tif)"
                if words & OF_CYTOPLASM:
                    return "is a mask of the cytoplasm, which is what of a cell is not nucleus"
                return image.field_id, _kind(words, (root, *PurePosixPath(name).parts[:-1]), image)
        return None

    def _fields_of(self, base: str, path: PurePosixPath) -> Iterator[_Image]:
        """The field of a name without the words of masks: by id, by the name of an image, or as its layout reads it."""
        folders = path.parts[:-1]
        under = ["_".join((*folders[k:], base)) for k in range(len(folders) + 1)]
        yield from (_Image(one, False) for one in under if one in self._ids)
        images = self._images.get(base, set())
        if len({image.field_id for image in images}) == 1:
            yield next(iter(images))
        for parse in self._parsers:
            said = parse(str(path.with_name(f"{base}.tif")))
            ids = [] if said is None else ["_".join((*folders[k:], said.field_id)) for k in range(len(folders) + 1)]
            yield from (
                _Image(one, said is not None and bool(said.channel) and said.channel == self._nuclei.get(one))
                for one in ids
                if one in self._ids
            )


def _bases(text: str) -> Iterator[tuple[str, set[str]]]:
    """A name with none, one, two ... of the words of masks at its end taken off, and these words."""
    taken: set[str] = set()
    yield text, set()
    for start, word in reversed(words_of(text)):
        if word not in WORDS or not start:
            return
        taken.add(word)
        yield text[:start].rstrip(_BETWEEN), set(taken)


def _kind(words: set[str], folders: Iterable[str], image: _Image) -> str:
    for said in (words, *({word for _, word in words_of(folder)} for folder in reversed(tuple(folders)))):
        if said & OF_NUCLEI:
            return NUCLEI
        if said & OF_CELLS:
            return CELLS
    return NUCLEI if image.of_nucleus else CELLS
