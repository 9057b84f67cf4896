"""Label images made elsewhere (stub until the real one lands)."""
from pathlib import Path
from features._segment import Segmentation


def read_masks(folder: Path, field_id: str, shape: tuple[int, int]) -> Segmentation:
    raise NotImplementedError
