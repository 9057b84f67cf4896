"""Real files of microscopes and tools: each is of a field, or has a reason, or its folder has a sentence."""

from pathlib import Path

import pytest

from features.reading.archive import located
from features.reading.inspection import inspect_images

KINDS = 27


@pytest.mark.filterwarnings("ignore")
def test_no_real_file_vanishes(shared_data):
    kinds = sorted(path for path in (shared_data / "microscope").iterdir() if path.is_dir())
    assert len(kinds) >= KINDS
    without_field, lost = [], []
    for kind in kinds:
        found = inspect_images(kind)
        if found.source is None:
            assert found.problem.strip(), kind.name
            without_field.append(kind.name)
            continue
        known = {located(file.member) for of in found.source.files.values() for file in of}
        known |= {file.path for file in found.source.unused}
        lost += [path for path in map(str, kind.rglob("*.*")) if not _is_known(path, known) and Path(path).is_file()]
    assert lost == []
    assert set(without_field) <= {
        "ilastik", "leica-exported", "micromanager-single", "odd-tiff", "olympus-vsi", "opera-phenix-jump",
        "operetta-harmony", "probability-maps", "zeiss-czi",
    }, "these have one channel, or a format that is not read"  # fmt: skip


def _is_known(path: str, known: set[str]) -> bool:
    """Whether a file, a folder that it is in, or the image whose `.files` folder it is in, is known."""
    folders = [str(parent) for parent in Path(path).parents]
    return path in known or any(one in known or one.removesuffix(".files") in known for one in folders)
