"""A worker's memory on fields of the size of HPA's originals."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from simulate import simulate

ROOT = Path(__file__).resolve().parents[2]
MOST_MB = 1250  # resident, of which some 230 are files of libraries that all processes share
CHILD = """
import resource, sys
from pathlib import Path
import pipeline
pipeline.extract(pipeline.Job(Path(sys.argv[2]), Path(sys.argv[1]), "cpu", workers=1, quiet=True))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_a_worker_stays_near_a_gigabyte_on_16_bit_fields_of_3072_px(tmp_path):
    """The first run compiles kernels, which takes memory of its own; the second is measured."""
    data = tmp_path / "data"
    simulate(data, fields=2, test_fields=1, size=768, seed=3)
    for path in [*data.glob("*/*.png")]:
        plane = cv2.resize(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), (3072, 3072), interpolation=cv2.INTER_CUBIC)
        tifffile.imwrite(path.with_suffix(".tif"), plane.astype(np.uint16) * 257)
        path.unlink()
    for run in ("compiles", "measured"):
        command = [sys.executable, "-c", CHILD, str(data), str(tmp_path / run)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(ended.stdout.splitlines()[-1]) < MOST_MB
